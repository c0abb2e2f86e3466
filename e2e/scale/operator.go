package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/serin-dev/serin/e2e/internal/bare"
)

// operator is the process that is measured, and the one after it.
type operator struct {
	rig *bare.Rig

	*bare.Operator
	metrics string
	// gone is what the processes before this one have used.
	gone usage
}

// usage is what a process has used since its start, by its own /metrics.
type usage struct {
	cpu time.Duration
	// turns of the loop, how long they lasted, and how long they were due before they began.
	turns       uint64
	busy, waits time.Duration
	// memory that it holds now, in MiB.
	memory float64
}

func (u usage) plus(o usage) usage {
	return usage{cpu: u.cpu + o.cpu, turns: u.turns + o.turns, busy: u.busy + o.busy, waits: u.waits + o.waits, memory: u.memory}
}

func (u usage) since(o usage) usage {
	return usage{cpu: u.cpu - o.cpu, turns: u.turns - o.turns, busy: u.busy - o.busy, waits: u.waits - o.waits, memory: u.memory}
}

// start starts the operator and waits until it answers.
func (o *operator) start(ctx context.Context) (err error) {
	address, err := bare.FreeAddress()
	if err != nil {
		return err
	}
	o.metrics = "http://" + address + "/metrics"
	started, err := bare.StartOperator(ctx, o.rig.Binary, o.rig.Log, o.rig.Kubeconfig, o.rig.Prometheus.URL, "--metrics-bind-address="+address)
	if err != nil {
		return err
	}
	o.Operator = started
	for range 1200 {
		if _, err = o.scrape(ctx); err == nil {
			return nil
		}
		if err := bare.Pause(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
	return fmt.Errorf("the operator does not answer: %w", err)
}

func (o *operator) stop() { o.Stop() }

// pause stops the operator until its next start.
func (o *operator) pause(ctx context.Context) error {
	used, err := o.usage(ctx)
	if err != nil {
		return err
	}
	o.gone = used
	o.stop()
	return nil
}

func (o *operator) restart(ctx context.Context) error {
	if err := o.pause(ctx); err != nil {
		return err
	}
	return o.start(ctx)
}

// usage is that of all processes, with the memory of the one that runs.
func (o *operator) usage(ctx context.Context) (usage, error) {
	u, err := o.scrape(ctx)
	return u.plus(o.gone), err
}

func (o *operator) scrape(ctx context.Context) (usage, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, o.metrics, nil)
	if err != nil {
		return usage{}, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return usage{}, err
	}
	defer res.Body.Close() //nolint:errcheck // only read
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(res.Body)
	if err != nil {
		return usage{}, err
	}
	turns, busy := histogram(families["controller_runtime_reconcile_time_seconds"])
	_, waits := histogram(families["workqueue_queue_duration_seconds"])
	u := usage{turns: turns, busy: busy, waits: waits, cpu: seconds(families["process_cpu_seconds_total"].GetMetric()[0].GetCounter().GetValue())}
	u.memory = families["process_resident_memory_bytes"].GetMetric()[0].GetGauge().GetValue() / (1 << 20)
	return u, nil
}

func histogram(f *dto.MetricFamily) (count uint64, sum time.Duration) {
	for _, m := range f.GetMetric() {
		count += m.GetHistogram().GetSampleCount()
		sum += seconds(m.GetHistogram().GetSampleSum())
	}
	return count, sum
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
