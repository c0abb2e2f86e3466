// Command load sends requests at a constant rate and counts what comes back.
//
// Given a URL it sends until it is interrupted, or for a while, prints a line a second and then the
// whole report as JSON; it fails if a request failed. Given an address to listen on it serves any number
// of streams, which demo and tests start and stop:
//
//	PUT    /streams/NAME   starts one; the body is a stream.Spec
//	GET    /streams/NAME   reports; ?from=UNIX leaves out the seconds before
//	DELETE /streams/NAME   stops it, waits for its last answers and reports
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/serin-dev/serin/e2e/load/stream"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1) //nolint:gocritic // exitAfterDefer: nothing is left to undo
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	var spec stream.Spec
	flags := flag.NewFlagSet("load", flag.ContinueOnError)
	listen := flags.String("listen", "", "`address` to serve streams on")
	duration := flags.Duration("duration", 0, "how long to send; 0 is until interrupted")
	flags.StringVar(&spec.URL, "url", "", "where to send to")
	flags.StringVar(&spec.Host, "host", "", "host of the requests, where it is not the URL's")
	flags.IntVar(&spec.Rate, "rate", 200, "requests per second")
	flags.IntVar(&spec.Expect, "expect", http.StatusOK, "status that is no failure")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *listen != "" {
		return serve(ctx, *listen)
	}
	if err := spec.Check(); err != nil {
		return err
	}
	if *duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, *duration)
		defer cancel()
	}
	return send(ctx, spec, out)
}

// send prints a second when its answers have had two more to come in.
func send(ctx context.Context, spec stream.Spec, out io.Writer) error {
	s := stream.Start(spec)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case now := <-tick.C:
			past := now.Add(-3 * time.Second)
			fmt.Fprintln(out, past.UTC().Format(time.TimeOnly), s.Report(past.Unix()).Between(past, past.Add(time.Second)))
		}
	}
	report := s.Stop()
	if err := json.NewEncoder(out).Encode(report); err != nil {
		return err
	}
	if report.Total.Failed > 0 {
		return fmt.Errorf("%d of %d requests failed", report.Total.Failed, report.Total.Sent)
	}
	return nil
}

func serve(ctx context.Context, address string) error {
	server := &http.Server{Addr: address, Handler: newStreams().handler(), ReadHeaderTimeout: 5 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
