package main

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// screen prints what several watchers see, a line at a time, each with the time and who says it.
type screen struct {
	mu   sync.Mutex
	last map[string]string
}

func (s *screen) say(who string, lines ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, line := range lines {
		at := strings.Repeat(" ", len(time.TimeOnly))
		if i == 0 {
			at = time.Now().UTC().Format(time.TimeOnly)
		}
		fmt.Printf("%s  %-7s %s\n", at, who, line)
	}
}

// sayNew leaves out what the same watcher said last.
func (s *screen) sayNew(who, line string) {
	s.mu.Lock()
	same := s.last[who] == line
	if s.last == nil {
		s.last = map[string]string{}
	}
	s.last[who] = line
	s.mu.Unlock()
	if !same {
		s.say(who, line)
	}
}

// cells is the length of the weight bar.
const cells = 20

// bar draws the canary's share.
func bar(weight int) string {
	filled := min(max((weight*cells+99)/100, 0), cells)
	return strings.Repeat("▓", filled) + strings.Repeat("░", cells-filled)
}
