package main

import (
	"fmt"
	"slices"
	"time"
)

const head = "| situation | requests/s | reaction p50 | p99 | run over intervals p50 | max | queries per interval | CPU | turns | a turn waits | takes | memory | above none |\n" +
	"| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n"

// row is what one situation came to.
type row struct {
	situation
	took          time.Duration
	requests      int
	queries       int64
	rides         []ride
	cost          usage
	memory, above float64
}

func (r row) String() string {
	reaction50, reaction99, run50, longest := "", "", "", ""
	if len(r.rides) > 0 {
		reaction := r.sorted(func(r ride) time.Duration { return r.reaction })
		run := r.sorted(func(r ride) time.Duration { return r.run })
		ideal := interval.Seconds() * float64(len(steps))
		reaction50, reaction99 = short(middle(reaction)), short(reaction[(len(reaction)-1)*99/100])
		run50, longest = fmt.Sprintf("%.3f", middle(run).Seconds()/ideal), fmt.Sprintf("%.3f", run[len(run)-1].Seconds()/ideal)
	}
	turns := time.Duration(max(r.cost.turns, 1))
	return fmt.Sprintf("| %s | %.2f | %s | %s | %s | %s | %.1f | %.1f %% | %d | %s | %s | %.0f MiB | %.0f MiB |",
		r.name, float64(r.requests)/r.took.Seconds(), reaction50, reaction99, run50, longest, float64(r.queries)*interval.Seconds()/r.took.Seconds(),
		100*r.cost.cpu.Seconds()/r.took.Seconds(), r.cost.turns, short(r.cost.waits/turns), short(r.cost.busy/turns), r.memory, r.above)
}

func (r row) sorted(of func(ride) time.Duration) []time.Duration {
	var out []time.Duration
	for _, x := range r.rides {
		out = append(out, of(x))
	}
	slices.Sort(out)
	return out
}

func middle(sorted []time.Duration) time.Duration { return sorted[len(sorted)/2] }

// short writes a time as a table has it.
func short(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
	}
	return fmt.Sprintf("%.2f s", d.Seconds())
}
