package analysis

import (
	"math/rand/v2"
	"testing"

	"github.com/serin-dev/serin/apis/v1beta1"
)

func TestJudgeShare(t *testing.T) {
	counts := func(canary, all int64) Counts { return Counts{Primary: all - canary, Canary: canary, Known: true} }
	for sentence, test := range map[string]struct {
		weight  int32
		before  int32
		counts  Counts
		force   Force
		message string
	}{
		"what could not be counted verifies nothing": {20, 10, Counts{Message: "no series"}, Unverified, "weight not verified: no series"},
		"no requests verify nothing":                 {20, 10, Counts{Known: true}, Unverified, "weight not verified: no requests were counted"},
		"a few requests that agree verify nothing":   {20, 10, counts(8, 40), Unverified, "20.0 % of 40 requests seen on the canary: too few to verify the weight"},
		"a few requests that disagree hold nothing":  {50, 40, counts(0, 40), Unverified, "0.0 % of 40 requests seen on the canary: too few to verify the weight"},
		"enough that agree verify":                   {20, 10, counts(205, 1000), InForce, "20.5 % of 1000 requests seen on the canary"},
		"a share that was not taken contradicts":     {20, 10, counts(0, 1000), Contradicted, "0.0 % of 1000 requests seen on the canary, weight is 20 %"},
		"a stuck step of 5 % is seen on 1,000":       {25, 20, counts(200, 1000), Contradicted, "20.0 % of 1000 requests seen on the canary, weight is 25 %"},
		"a first step of 5 % that was not taken":     {5, 0, counts(0, 1000), Contradicted, "0.0 % of 1000 requests seen on the canary, weight is 5 %"},
		"all of the traffic is no chance":            {100, 90, counts(900, 1000), Contradicted, "90.0 % of 1000 requests seen on the canary, weight is 100 %"},
		"a contradicted zero":                        {0, 0, counts(50, 1000), Contradicted, "5.0 % of 1000 requests seen on the canary, weight is 0 %"},
		"a share between two steps decides nothing":  {30, 20, counts(99, 400), Unverified, "24.8 % of 400 requests seen on the canary, which may be 30 % or still 20 %"},
		"stragglers at zero are the scrape's edge":   {0, 0, counts(4, 1000), InForce, "0.4 % of 1000 requests seen on the canary"},
	} {
		t.Run(sentence, func(t *testing.T) {
			got := JudgeShare(v1beta1.Percent(test.weight), v1beta1.Percent(test.before), test.counts)
			if got.Force != test.force || got.Message != test.message {
				t.Errorf("got %s: %s, want %s: %s", got.Force, got.Message, test.force, test.message)
			}
		})
	}
}

// TestShareBySimulation lets independent proxies pick sides: a weight that is in force is hardly ever
// contradicted, one that was not taken almost always is. Seed 2026.
func TestShareBySimulation(t *testing.T) {
	const trials = 1500
	for sentence, test := range map[string]struct {
		weight, before, served int32
		requests               int
		force                  Force
		least, most            float64
	}{
		"5 % in force is hardly ever contradicted":  {5, 0, 5, 1000, Contradicted, 0, 0.005},
		"20 % in force is hardly ever contradicted": {20, 15, 20, 1000, Contradicted, 0, 0.01},
		"50 % in force is hardly ever contradicted": {50, 40, 50, 1000, Contradicted, 0, 0.005},
		"5 % not taken is found":                    {5, 0, 0, 1000, Contradicted, 1, 1},
		"10 % stuck at 5 % is found":                {10, 5, 5, 1000, Contradicted, 0.95, 1},
		"25 % stuck at 20 % is found":               {25, 20, 20, 1000, Contradicted, 0.7, 1},
		"60 % stuck at 50 % is found":               {60, 50, 50, 1000, Contradicted, 0.9, 1},
		"0 % while 5 % goes on is found":            {0, 0, 5, 1000, Contradicted, 1, 1},
		"30 % stuck at 20 % is not taken for 30 %":  {30, 20, 20, 400, InForce, 0, 0.002},
		"20 % stuck at 15 % is not taken for 20 %":  {20, 15, 15, 400, InForce, 0, 0.01},
		"30 % in force is mostly seen on 400":       {30, 20, 30, 400, InForce, 0.9, 1},
		"20 % in force is mostly seen on 2,000":     {20, 15, 20, 2000, InForce, 0.95, 1},
	} {
		t.Run(sentence, func(t *testing.T) {
			random := rand.New(rand.NewPCG(2026, uint64(test.weight)))
			hits := 0
			for range trials {
				var canary int64
				for range test.requests {
					if random.Int32N(100) < test.served {
						canary++
					}
				}
				if JudgeShare(v1beta1.Percent(test.weight), v1beta1.Percent(test.before), Counts{Primary: int64(test.requests) - canary, Canary: canary, Known: true}).Force == test.force {
					hits++
				}
			}
			if rate := float64(hits) / trials; rate < test.least || rate > test.most {
				t.Errorf("%s in %.4f of the trials, want %.3f to %.3f", test.force, rate, test.least, test.most)
			}
		})
	}
}

func TestQuiet(t *testing.T) {
	for sentence, test := range map[string]struct {
		traffic Traffic
		want    bool
	}{
		"nothing new and nothing in flight": {Traffic{Known: true, ActiveKnown: true}, true},
		"new requests":                      {Traffic{Known: true, ActiveKnown: true, New: 1}, false},
		"requests in flight":                {Traffic{Known: true, ActiveKnown: true, Active: 1}, false},
		"nobody shows what is in flight":    {Traffic{Known: true}, false},
		"what is not known is not quiet":    {Traffic{}, false},
	} {
		t.Run(sentence, func(t *testing.T) {
			if got := test.traffic.Quiet(); got != test.want {
				t.Errorf("got %t, want %t", got, test.want)
			}
		})
	}
}
