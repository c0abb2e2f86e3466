// Package routertest is the suite that every router passes: the one in memory, and each real one on
// a client in memory and on a real API server. It says what the contract in package router means.
package routertest

import (
	"net/http"
	"testing"

	"github.com/serin-dev/serin/router"
)

// Subject is a router under test, with one target whose Services exist and whose route does not, and
// with what a test does to the route behind the router's back.
type Subject struct {
	Router router.Router
	Target router.Target

	// Writes counts the requests so far that ask for a change, refused ones too.
	Writes func() int
	// BeforeWrite makes f run once, between the next call's last read and its first write.
	BeforeWrite func(f func())
	// Edit changes the weights as another tool would, without touching the stamp. EditRules breaks the
	// rules that stand, whichever they are.
	Edit      func(t *testing.T, w router.Weights)
	EditRules func(t *testing.T)
	// Decorate adds what users add to a route: foreign metadata and settings. It returns a check
	// that all of it is still there.
	Decorate func(t *testing.T) (check func(t *testing.T))
	// Delete removes the route.
	Delete func(t *testing.T)
	// Reject makes the proxy refuse what stands, in these words. Accept lifts that.
	Reject func(t *testing.T, words string)
	Accept func(t *testing.T)
	// Pass lets the time pass that Release waits for.
	Pass func()
	// Released checks that the route is there, leads to the apex Service alone and has no mark of ours.
	Released func(t *testing.T)
	// Ask, where a route can be read, tells what becomes of a request.
	Ask func(t *testing.T, r *http.Request) Answer
	// Raw, where a route has a written form, checks that both weights stand in it, also one of 0.
	Raw func(t *testing.T, w router.Weights)
}

// Run runs the suite. setup is called once for each test, in its own world.
func Run(t *testing.T, setup func(t *testing.T) Subject) {
	tests := map[string]func(*testing.T, Subject){
		"a route that does not exist is no error":                     getAbsent,
		"ensure creates the route at 100/0":                           ensureCreates,
		"ensure with nothing to do writes nothing":                    ensureIdle,
		"ensure leaves live weights as they stand":                    ensureKeepsWeights,
		"ensure leaves edited weights as they stand":                  ensureKeepsEdit,
		"ensure recreates a deleted route at 100/0":                   ensureRecreates,
		"ensure of an overtaken operator writes nothing":              ensureOvertaken,
		"ensure that was overtaken between read and write fails":      ensureRaces,
		"set writes weights and stamp":                                setWrites,
		"set repeated writes nothing":                                 setIdle,
		"set of standing weights raises the stamp":                    setRaisesStamp,
		"set to either end writes the weight of 0":                    setZero,
		"set of an overtaken operator changes nothing":                setOvertaken,
		"set that was overtaken between read and write changes none":  setRaces,
		"set that meets a new route of another operator changes none": setMeetsLater,
		"set repairs an edit of the same step":                        setRepairs,
		"set before ensure asks for another try":                      setAbsent,
		"set refuses weights that are no shares":                      setInvalid,
		"rules and weights change in one write":                       rulesInOneWrite,
		"rules that are not set any more are gone":                    rulesRemoved,
		"rules of one kind replace those of another":                  rulesReplaced,
		"rules survive ensure":                                        rulesSurviveEnsure,
		"an edit of the rules shows and is repaired":                  rulesRepaired,
		"rules leave what users put on the route":                     rulesLeaveForeign,
		"rules end with the release":                                  rulesReleased,
		"rules that the router cannot keep are refused":               rulesRefused,
		"rules match what they say":                                   whatMatches,
		"a cookie of this run keeps a user on a side":                 cookiesKeep,
		"tenths of a percent are kept or refused":                     tenths,
		"shares are refused where there are none":                     weightless,
		"foreign edits survive every write":                           foreignSurvives,
		"a rejection is told in the proxy's words":                    rejected,
		"release leaves the apex alone and can be repeated":           released,
		"release of a route that does not exist is no error":          releaseAbsent,
		"a released route can be taken again":                         takenAgain,
		"telemetry names queries and both sides":                      telemetry,
		"watches name objects":                                        watches,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { test(t, setup(t)) })
	}
}

// get reads the state and fails the test on an error.
func (s Subject) get(t *testing.T) router.State {
	t.Helper()
	st, err := s.Router.Get(t.Context(), s.Target)
	if err != nil {
		t.Fatalf("Get: %v", err)
	}
	return st
}

func (s Subject) ensure(t *testing.T, stamp router.Stamp) {
	t.Helper()
	if err := s.Router.Ensure(t.Context(), s.Target, stamp); err != nil {
		t.Fatalf("Ensure with stamp %d: %v", stamp, err)
	}
}

func (s Subject) set(t *testing.T, w router.Weights, stamp router.Stamp) {
	t.Helper()
	if err := s.Router.Set(t.Context(), s.Target, router.Traffic{Weights: w}, stamp); err != nil {
		t.Fatalf("Set %s with stamp %d: %v", w, stamp, err)
	}
}

// stands fails the test unless the route has these weights and this stamp.
func (s Subject) stands(t *testing.T, w router.Weights, stamp router.Stamp) {
	t.Helper()
	st := s.get(t)
	if !st.Exists || st.Weights != w || st.Stamp != stamp {
		t.Errorf("the route exists: %t, weights %s, stamp %d; want %s with stamp %d", st.Exists, st.Weights, st.Stamp, w, stamp)
	}
}

// quiet fails the test if f asks for any change.
func (s Subject) quiet(t *testing.T, f func()) {
	t.Helper()
	before := s.Writes()
	f()
	if n := s.Writes() - before; n != 0 {
		t.Errorf("%d writes were asked for, want none", n)
	}
}

// share is this percentage for the canary. Where a side has all or none it is all of it from 50 on.
func (s Subject) share(canary int32) router.Weights {
	if !s.Router.Features().Weights {
		canary = min(canary/50, 1) * 100
	}
	return router.Percent(canary)
}
