// Package plans is what an apply would do, as data: actions, changes, the pure comparison that finds them, and the plan file.
package plans
