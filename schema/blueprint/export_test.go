package blueprint

// JSONKeyTwice is for tests.
var JSONKeyTwice = jsonKeyTwice
