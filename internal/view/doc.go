// Package view renders: plans, runs, diagnostics and tables, for people and for programs. Nothing else in cxha prints.
package view
