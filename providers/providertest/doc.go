// Package providertest is what every kind must keep to, as tests: a suite for kinds on hosts, one for kinds behind calls, and a
// throw-away host in a temporary directory.
package providertest
