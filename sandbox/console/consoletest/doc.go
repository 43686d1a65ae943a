// Package consoletest runs cxha-sandbox or cxha-lab as a program from the tests of its command, whose binary stands for it.
package consoletest
