package rollout

import "github.com/serin-dev/serin/apis/v1beta1"

// The journal keeps so many entries for its readers, and for those who have not been told of them so many:
// at their longest, 3 KiB each, they are less than half of what an object may take.
const keptJournal, maxJournal = 40, 200

// trimJournal drops the oldest entries. Of a transition that somebody has not been told all go or none, so
// that it is either told or counted as lost.
func trimJournal(s *v1beta1.CanaryStatus) {
	told := s.Told
	for _, k := range s.Sinks {
		told = min(told, k.Told)
	}
	j := s.Journal
	for len(j) > keptJournal && j[0].Transition <= told {
		j = j[1:]
	}
	for cut := int64(0); len(j) > maxJournal || len(j) > 0 && j[0].Transition == cut; j = j[1:] {
		cut = j[0].Transition
	}
	s.Journal = j
}
