package loadtester

import "fmt"

// maxOutput bounds what is kept of a command's output. A load generator reports
// at its end and a failing script says why in its last lines, so the end is kept.
const maxOutput = 64 << 10

// output keeps the last limit bytes that were written to it.
type output struct {
	limit int
	kept  []byte
	total int64
}

func (o *output) Write(p []byte) (int, error) {
	o.total += int64(len(p))
	o.kept = append(o.kept, p...)
	// Let it grow to twice the limit, so that bytes are not moved at each write.
	if len(o.kept) > 2*o.limit {
		o.kept = append(o.kept[:0], o.kept[len(o.kept)-o.limit:]...)
	}
	return len(p), nil
}

func (o *output) String() string {
	kept := o.kept[max(0, len(o.kept)-o.limit):]
	if cut := o.total - int64(len(kept)); cut > 0 {
		return fmt.Sprintf("[first %d bytes left out]\n%s", cut, kept)
	}
	return string(kept)
}
