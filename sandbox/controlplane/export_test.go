package controlplane

// Inner parts with formats of their own, for their tests.
var (
	MergeArguments = mergeArguments
	ChoosePorts    = choosePorts
)
