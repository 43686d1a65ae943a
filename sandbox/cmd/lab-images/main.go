// Command lab-images writes the lab's image archives from the programs that were built for them.
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/expertflow/cxha/sandbox/images"
)

func main() {
	var o images.Options
	flag.StringVar(&o.Programs, "programs", "bin/lab/programs", "directory of the static programs")
	flag.StringVar(&o.To, "to", "bin/lab/images", "directory of the archives")
	flag.Parse()
	err := images.Write(o, func(r images.Result) {
		switch {
		case r.Missing:
			fmt.Printf("  %s: its program was not built; left out\n", r.Image.Program)
		case r.Written:
			fmt.Printf("  %s written\n", r.Archive)
		}
	})
	if err != nil {
		fmt.Fprintf(os.Stderr, "lab-images: %v\n", err)
		os.Exit(1)
	}
}
