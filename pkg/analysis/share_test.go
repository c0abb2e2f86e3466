package analysis

import (
	"math/rand/v2"
	"testing"
)

func TestJudgeShare(t *testing.T) {
	counts := func(canary, all int64) Counts { return Counts{Primary: all - canary, Canary: canary, Known: true} }
	for sentence, test := range map[string]struct {
		weight  int32
		counts  Counts
		force   Force
		message string
	}{
		"what could not be counted verifies nothing": {20, Counts{Message: "no series"}, Unverified, "weight not verified: no series"},
		"no requests verify nothing":                 {20, Counts{Known: true}, Unverified, "weight not verified: no requests were counted"},
		"a few requests that agree verify nothing":   {20, counts(8, 40), Unverified, "20.0 % of 40 requests seen on the canary: too few to verify the weight"},
		"a few requests that disagree hold nothing":  {50, counts(0, 40), Unverified, "0.0 % of 40 requests seen on the canary: too few to verify the weight"},
		"enough that agree verify":                   {20, counts(205, 1000), InForce, "20.5 % of 1000 requests seen on the canary"},
		"a share that was not taken contradicts":     {20, counts(0, 1000), Contradicted, "0.0 % of 1000 requests seen on the canary, weight is 20 %"},
		"a stuck step of 5 % is seen on 1,000":       {25, counts(200, 1000), Contradicted, "20.0 % of 1000 requests seen on the canary, weight is 25 %"},
		"a first step of 5 % that was not taken":     {5, counts(0, 1000), Contradicted, "0.0 % of 1000 requests seen on the canary, weight is 5 %"},
		"all of the traffic is no chance":            {100, counts(900, 1000), Contradicted, "90.0 % of 1000 requests seen on the canary, weight is 100 %"},
		"a contradicted zero":                        {0, counts(50, 1000), Contradicted, "5.0 % of 1000 requests seen on the canary, weight is 0 %"},
		"stragglers at zero are the scrape's edge":   {0, counts(4, 1000), InForce, "0.4 % of 1000 requests seen on the canary"},
	} {
		t.Run(sentence, func(t *testing.T) {
			got := JudgeShare(test.weight, test.counts)
			if got.Force != test.force || got.Message != test.message {
				t.Errorf("got %s: %s, want %s: %s", got.Force, got.Message, test.force, test.message)
			}
		})
	}
}

// TestShareBySimulation lets independent proxies pick sides: a weight that is in force is hardly ever
// contradicted, one that was not taken almost always is. Seed 2026.
func TestShareBySimulation(t *testing.T) {
	const trials, requests = 1500, 1000
	for sentence, test := range map[string]struct {
		weight, served int32
		least, most    float64
	}{
		"5 % in force: false alarms":     {5, 5, 0, 0.005},
		"20 % in force: false alarms":    {20, 20, 0, 0.005},
		"50 % in force: false alarms":    {50, 50, 0, 0.005},
		"5 % not taken is found":         {5, 0, 1, 1},
		"10 % stuck at 5 % is found":     {10, 5, 0.95, 1},
		"25 % stuck at 20 % is found":    {25, 20, 0.5, 1},
		"60 % stuck at 50 % is found":    {60, 50, 0.9, 1},
		"0 % while 5 % goes on is found": {0, 5, 1, 1},
	} {
		t.Run(sentence, func(t *testing.T) {
			random := rand.New(rand.NewPCG(2026, uint64(test.weight)))
			contradicted := 0
			for range trials {
				var canary int64
				for range requests {
					if random.Int32N(100) < test.served {
						canary++
					}
				}
				if JudgeShare(test.weight, Counts{Primary: requests - canary, Canary: canary, Known: true}).Force == Contradicted {
					contradicted++
				}
			}
			if rate := float64(contradicted) / trials; rate < test.least || rate > test.most {
				t.Errorf("contradicted in %.4f of the trials, want %.3f to %.3f", rate, test.least, test.most)
			}
		})
	}
}

func TestQuiet(t *testing.T) {
	for sentence, test := range map[string]struct {
		traffic Traffic
		want    bool
	}{
		"nothing new and nothing in flight": {Traffic{Known: true}, true},
		"new requests":                      {Traffic{Known: true, New: 1}, false},
		"requests in flight":                {Traffic{Known: true, Active: 1}, false},
		"what is not known is not quiet":    {Traffic{}, false},
	} {
		t.Run(sentence, func(t *testing.T) {
			if got := test.traffic.Quiet(); got != test.want {
				t.Errorf("got %t, want %t", got, test.want)
			}
		})
	}
}
