package load

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

const (
	// longest is more than any request is waited for.
	longest = time.Hour
	// maxErrors bounds how many different errors are told apart.
	maxErrors = 50
)

var percentiles = []float64{10, 25, 50, 75, 90, 95, 99}

// report gathers answers and prints them in the words of hey, which scripts look for.
type report struct {
	mu       sync.Mutex
	begin    time.Time
	took     time.Duration
	times    *hdrhistogram.Histogram // µs, of requests with a status
	bytes    int64
	reached  int64
	statuses map[string]int64
	errors   map[string]int64
}

func newReport() *report {
	return &report{
		begin: time.Now(), times: hdrhistogram.New(1, longest.Microseconds(), 3),
		statuses: map[string]int64{}, errors: map[string]int64{},
	}
}

func (r *report) add(got answer, took time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if got.reached {
		r.reached++
	}
	if got.status != "" {
		r.statuses[got.status]++
		r.bytes += got.bytes
		_ = r.times.RecordValue(min(took, longest).Microseconds()) // it refuses what is longer than its range
	}
	if got.err == nil {
		return
	}
	text := errorText(got.err)
	if _, known := r.errors[text]; !known && len(r.errors) >= maxErrors {
		text = "other errors"
	}
	r.errors[text]++
}

// errorText leaves out what is different for each request: errors of one cause are to be counted
// together.
func errorText(err error) string {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err // without the address, which is in the command
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		same := *op
		same.Source = nil // with the port
		return same.Error()
	}
	return err.Error()
}

func (r *report) finish() { r.took = time.Since(r.begin) }

func (r *report) print(w io.Writer) {
	fmt.Fprintf(w, "\nSummary:\n  Total:\t%.4f secs\n", r.took.Seconds())
	if n := r.times.TotalCount(); n > 0 {
		fmt.Fprintf(w, "  Slowest:\t%s\n  Fastest:\t%s\n  Average:\t%s\n",
			seconds(float64(r.times.Max())), seconds(float64(r.times.Min())), seconds(r.times.Mean()))
		fmt.Fprintf(w, "  Requests/sec:\t%.4f\n", float64(n)/r.took.Seconds())
		if r.bytes > 0 {
			fmt.Fprintf(w, "\n  Total data:\t%d bytes\n  Size/request:\t%d bytes\n", r.bytes, r.bytes/n)
		}
		fmt.Fprint(w, "\nLatency distribution:\n")
		for _, p := range percentiles {
			fmt.Fprintf(w, "  %.0f%% in %s\n", p, seconds(float64(r.times.ValueAtPercentile(p))))
		}
	}
	printCounts(w, "Status code distribution", r.statuses, func(status string, n int64) string {
		return fmt.Sprintf("[%s]\t%d responses", status, n)
	})
	printCounts(w, "Error distribution", r.errors, func(text string, n int64) string {
		return fmt.Sprintf("[%d]\t%s", n, text)
	})
}

func seconds(micros float64) string { return fmt.Sprintf("%.4f secs", micros/1e6) }

// printCounts prints the most frequent first.
func printCounts(w io.Writer, title string, counts map[string]int64, line func(string, int64) string) {
	if len(counts) == 0 {
		return
	}
	fmt.Fprintf(w, "\n%s:\n", title)
	for _, text := range slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	}) {
		fmt.Fprintf(w, "  %s\n", line(text, counts[text]))
	}
}

// end prints the report and returns the exit code. Errors do not fail the program, as what is asked
// of it is load; no answer at all does.
func (r *report) end(name string, stdout, stderr io.Writer) int {
	r.print(stdout)
	if r.reached == 0 {
		fmt.Fprintf(stderr, "%s: no request was answered\n", name)
		return exitUnanswered
	}
	return 0
}
