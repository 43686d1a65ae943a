# Prints what `go test -bench` prints, and after it a table of each figure beside its budget. A benchmark reports a budget as a
# metric of its own, with the name of the metric it is about after "budget-". Of several runs of one benchmark the best counts,
# as nothing but other work on the machine makes one slower than another. It fails where a budget is missed by more than other
# work on the machine can explain.

BEGIN {
	slack["ns/op"] = 2 # twice the time: cores are shared
	slack["x_"] = 1.25 # measured against a floor in the same run, which other work slows down as well
}

{ print }

/^pkg: / { n = split($2, path, "/"); pkg = path[n] }
/^(FAIL|panic:|--- FAIL)/ { broken = 1 }

/^Benchmark/ && NF >= 4 {
	name = $1
	sub(/^Benchmark/, "", name)
	sub(/-[0-9]+$/, "", name)
	name = pkg "." name
	if (!(name in seen)) {
		seen[name] = 1
		order[++count] = name
	}
	for (i = 3; i < NF; i += 2) {
		key = name SUBSEP $(i + 1)
		if (!(key in best) || $i + 0 < best[key]) best[key] = $i + 0
	}
}

function shown(value, unit) {
	if (unit == "ns/op") return sprintf("%.1f ms", value / 1e6)
	if (unit ~ /^MB/) return sprintf("%.0f MB", value)
	return sprintf("%.2f x", value)
}

function judge(value, budget, unit,    allowed) {
	if (value <= budget) return "ok"
	allowed = unit in slack ? slack[unit] : unit ~ /^x_/ ? slack["x_"] : 1
	if (value <= budget * allowed) {
		over++
		return "over, within what a busy machine explains"
	}
	missed++
	return "MISSED"
}

function row(a, b, c, d) { printf "%-34s %14s %12s  %s\n", a, b, c, d }

END {
	print ""
	row("benchmark", "took", "budget", "verdict")
	for (i = 1; i <= count; i++) {
		name = order[i]
		limits = 0
		for (u = 1; u <= split("ns/op MB/op x_critical x_floor", units, " "); u++) {
			unit = units[u]
			if (!((name, "budget-" unit) in best)) continue
			limits++
			budget = best[name, "budget-" unit]
			row(name, shown(best[name, unit], unit), shown(budget, unit), judge(best[name, unit], budget, unit))
		}
		rows += limits
		if (!limits) row(name, shown(best[name, "ns/op"], "ns/op"), "-", "")
	}
	printf "\n%d figures with a budget, %d over, %d missed. The best run of each counts. Missed is what takes longer than %g times a budget of time,\n", rows, over + missed, missed, slack["ns/op"]
	printf "%g times a ratio that is measured in one run, or any more than a budget of memory: the machine may have other work to do.\n", slack["x_"]
	if (broken) print "Some benchmarks failed; see above."
	if (!rows) print "No benchmark ran."
	exit broken || missed || !rows
}
