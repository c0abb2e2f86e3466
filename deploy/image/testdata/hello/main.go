// Program hello is what the tests of the image builder build: it imports nothing
// that takes long to compile for another architecture.
package main

var version = "dev"

func main() {
	println("hello", version)
}
