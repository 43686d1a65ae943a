package virtualhost

// Inner parts with formats of their own, for their tests.
var (
	ParseLabels = parseLabels
	ParseTaints = parseTaints
)
