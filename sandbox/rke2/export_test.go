package rke2

// Inner parts with formats of their own, for their tests.
var (
	SealBootstrap = sealBootstrap
	OpenBootstrap = openBootstrap
	HashPassword  = hashPassword
	CheckPassword = checkPassword
	ParseLabels   = parseLabels
	ParseTaints   = parseTaints
	RenderChart   = renderChart
	ChartDefaults = chartDefaults
)
