package machine

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
)

const etcUnits = "/etc/systemd/system"

// fileState is the UnitFileState: enabled, disabled, static, masked, or empty for a unit without a file.
func (s *Systemd) fileState(name string) string {
	d, err := s.machine.loadUnit(name)
	return s.linkState(d, err)
}

// linkState is fileState for a unit whose file was loaded with the result err.
func (s *Systemd) linkState(d *definition, err error) string {
	switch {
	case errors.Is(err, errMasked):
		return "masked"
	case err != nil:
		return ""
	case len(d.wantedBy) == 0 && len(d.requiredBy) == 0 && len(d.alias) == 0:
		return "static"
	}
	for _, link := range d.links() {
		if _, err := s.machine.fs.Lstat(link); err == nil {
			return "enabled"
		}
	}
	return "disabled"
}

// links are the symbolic links that enable a unit.
func (d *definition) links() []string {
	var links []string
	for _, target := range d.wantedBy {
		links = append(links, etcUnits+"/"+target+".wants/"+d.name)
	}
	for _, target := range d.requiredBy {
		links = append(links, etcUnits+"/"+target+".requires/"+d.name)
	}
	for _, alias := range d.alias {
		if alias != d.name {
			links = append(links, etcUnits+"/"+alias)
		}
	}
	return links
}

// Enable makes the links of a unit's [Install] section and reports each that it made.
func (s *Systemd) Enable(unit string, report func(text string)) error {
	name := unitName(unit)
	d, err := s.machine.loadUnit(name)
	switch {
	case errors.Is(err, errNoUnit):
		return &JobError{name, fmt.Sprintf("Failed to enable unit: Unit file %s does not exist.", name)}
	case errors.Is(err, errMasked):
		return &JobError{name, fmt.Sprintf("Failed to enable unit: Unit file %s/%s is masked.", etcUnits, name)}
	case err != nil:
		return err
	}
	for _, link := range d.links() {
		if target, err := s.machine.fs.Readlink(link); err == nil && target == d.path {
			continue
		}
		if err := s.machine.fs.MkdirAll(path.Dir(link), 0o755); err != nil {
			return err
		}
		if err := s.machine.fs.Remove(link); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := s.machine.fs.Symlink(d.path, link); err != nil {
			return err
		}
		report(fmt.Sprintf("Created symlink %s → %s.", link, d.path))
	}
	return nil
}

// Disable removes every link to a unit and reports each.
func (s *Systemd) Disable(unit string, report func(text string)) error {
	name := unitName(unit)
	d, err := s.machine.loadUnit(name)
	if errors.Is(err, errNoUnit) {
		return &JobError{name, fmt.Sprintf("Failed to disable unit: Unit file %s does not exist.", name)}
	}
	if err != nil && !errors.Is(err, errMasked) {
		return err
	}
	links := s.wantsLinks(name)
	if d != nil {
		for _, link := range d.links() {
			if !slices.Contains(links, link) {
				links = append(links, link)
			}
		}
	}
	for _, link := range links {
		err := s.machine.fs.Remove(link)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		report(fmt.Sprintf("Removed \"%s\".", link))
	}
	return nil
}

// wantsLinks finds the links to a unit in all directories of wants and requires.
func (s *Systemd) wantsLinks(name string) []string {
	entries, err := s.machine.fs.ReadDir(etcUnits)
	if err != nil {
		return nil
	}
	var links []string
	for _, e := range entries {
		if ext := path.Ext(e.Name()); ext != ".wants" && ext != ".requires" {
			continue
		}
		link := etcUnits + "/" + e.Name() + "/" + name
		if _, err := s.machine.fs.Lstat(link); err == nil {
			links = append(links, link)
		}
	}
	return links
}

// Mask makes a unit impossible to start.
func (s *Systemd) Mask(unit string, report func(text string)) error {
	name := unitName(unit)
	link := etcUnits + "/" + name
	info, err := s.machine.fs.Lstat(link)
	if err == nil {
		if target, err := s.machine.fs.Readlink(link); err == nil && target == maskTarget {
			return nil
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			return &JobError{name, fmt.Sprintf("Failed to mask unit: File %s already exists.", link)}
		}
		if err := s.machine.fs.Remove(link); err != nil {
			return err
		}
	}
	if err := s.machine.fs.MkdirAll(etcUnits, 0o755); err != nil {
		return err
	}
	if err := s.machine.fs.Symlink(maskTarget, link); err != nil {
		return err
	}
	report(fmt.Sprintf("Created symlink %s → %s.", link, maskTarget))
	return nil
}

// Unmask takes a mask away.
func (s *Systemd) Unmask(unit string, report func(text string)) error {
	link := etcUnits + "/" + unitName(unit)
	if target, err := s.machine.fs.Readlink(link); err != nil || target != maskTarget {
		return nil
	}
	if err := s.machine.fs.Remove(link); err != nil {
		return err
	}
	report(fmt.Sprintf("Removed \"%s\".", link))
	return nil
}
