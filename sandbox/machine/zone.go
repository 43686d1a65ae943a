package machine

import "time"

// hostZone is the zone of time of every host. It has minutes, as those of India, Iran and Nepal have, and no name but its offset.
var hostZone = time.FixedZone("+0545", 5*3600+45*60)

// zone is the zone that a process shows times in. As in the C library, what TZ names and the host does not know is UTC; the host
// knows none by name.
func (p *Process) zone() *time.Location {
	if tz, set := p.Env["TZ"]; set {
		if tz == "" || tz == "UTC0" {
			tz = "UTC"
		}
		return time.FixedZone(tz, 0)
	}
	return hostZone
}
