// Command web is the lab's small web application: it says which pod of which node answers, keeps files in a directory, and
// ends without losing a request.
package main
