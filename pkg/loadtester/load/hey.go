package load

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// defaultAgent is what targets see of requests that name no other program.
const defaultAgent = "serin-loadtester"

type heyOptions struct {
	plan    plan
	timeout time.Duration
	request *http.Request
	body    []byte
	proxy   *url.URL
	http2   bool

	noCompression, noKeepAlive, noRedirects bool
}

// Hey sends HTTP requests to one address, with the flags of the program of that name.
func Hey(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	opts, err := parseHey(ctx, args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return exitUsage
	}
	if err != nil {
		fmt.Fprintln(stderr, "hey:", err)
		return exitUsage
	}
	client := opts.client()
	defer client.CloseIdleConnections()
	return opts.plan.run(ctx, opts.shot(client)).end("hey", stdout, stderr)
}

// heyFlags are those that need more than a type of their own.
type heyFlags struct {
	headers                                  http.Header
	method, host, accept, kind, agent, basic string
	data, file, proxy, output                string
	perWorker                                float64
	seconds                                  int
}

func parseHey(ctx context.Context, args []string, stderr io.Writer) (*heyOptions, error) {
	opts, raw := &heyOptions{}, heyFlags{headers: http.Header{}}
	flags := flag.NewFlagSet("hey", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Int64Var(&opts.plan.requests, "n", 200, "requests in all")
	flags.IntVar(&opts.plan.workers, "c", 50, "workers: requests at the same time")
	flags.Float64Var(&raw.perWorker, "q", 0, "requests a second of each worker (default: as fast as answers come)")
	flags.DurationVar(&opts.plan.duration, "z", 0, "how long to send; with it -n has no effect")
	flags.StringVar(&raw.method, "m", http.MethodGet, "method")
	flags.Func("H", "header as `name: value`; repeatable", raw.addHeader)
	flags.StringVar(&raw.host, "host", "", "Host header, and server name of TLS")
	flags.StringVar(&raw.accept, "A", "", "Accept header")
	flags.StringVar(&raw.kind, "T", "text/html", "Content-Type header")
	flags.StringVar(&raw.agent, "U", defaultAgent, "User-Agent header")
	flags.StringVar(&raw.basic, "a", "", "basic authentication as `user:password`")
	flags.StringVar(&raw.data, "d", "", "body")
	flags.StringVar(&raw.file, "D", "", "file with the body")
	flags.StringVar(&raw.proxy, "x", "", "HTTP proxy as `host:port`")
	flags.IntVar(&raw.seconds, "t", 20, "seconds that a request may take; 0: any")
	flags.BoolVar(&opts.http2, "h2", false, "HTTP/2, to http:// addresses without TLS (h2c)")
	flags.BoolVar(&opts.noCompression, "disable-compression", false, "ask for no compression")
	flags.BoolVar(&opts.noKeepAlive, "disable-keepalive", false, "a connection for each request")
	flags.BoolVar(&opts.noRedirects, "disable-redirects", false, "take a redirect for the answer")
	flags.StringVar(&raw.output, "o", "", "not supported: the summary is printed")
	flags.Int("cpus", 0, "has no effect")
	if err := flags.Parse(args); err != nil {
		return nil, fmt.Errorf("flags: %w", err)
	}
	if flags.NArg() != 1 {
		return nil, fmt.Errorf("one address is needed after the flags, there are %d: %q", flags.NArg(), flags.Args())
	}
	return opts, opts.complete(ctx, raw, flags.Arg(0))
}

func (f *heyFlags) addHeader(s string) error {
	name, value, ok := strings.Cut(s, ":")
	if !ok || strings.TrimSpace(name) == "" {
		return fmt.Errorf("%q is not of the form name: value", s)
	}
	f.headers.Add(strings.TrimSpace(name), strings.TrimSpace(value))
	return nil
}

func (o *heyOptions) complete(ctx context.Context, raw heyFlags, address string) error {
	if raw.output != "" {
		return fmt.Errorf("-o %s is not supported: only the summary is printed", raw.output)
	}
	if o.plan.duration > 0 {
		o.plan.requests = 0
	}
	o.plan.rate = raw.perWorker * float64(o.plan.workers)
	o.timeout = time.Duration(raw.seconds) * time.Second
	if err := o.plan.check(); err != nil {
		return err
	}
	o.body = []byte(raw.data)
	if raw.file != "" {
		var err error
		if o.body, err = os.ReadFile(raw.file); err != nil {
			return fmt.Errorf("-D: %w", err)
		}
	}
	if raw.proxy != "" {
		o.proxy = &url.URL{Scheme: "http", Host: raw.proxy}
	}
	return o.setRequest(ctx, raw, address)
}

func (o *heyOptions) setRequest(ctx context.Context, raw heyFlags, address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return fmt.Errorf("address %q is not an http or https URL", address)
	}
	req, err := http.NewRequestWithContext(ctx, strings.ToUpper(raw.method), address, http.NoBody)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", raw.kind)
	req.Header.Set("User-Agent", raw.agent)
	if raw.accept != "" {
		req.Header.Set("Accept", raw.accept)
	}
	maps.Copy(req.Header, raw.headers)
	// Go sends the Host header from its own field only.
	if host := req.Header.Get("Host"); host != "" {
		req.Host = host
	}
	if raw.host != "" {
		req.Host = raw.host
	}
	if raw.basic != "" {
		user, password, ok := strings.Cut(raw.basic, ":")
		if !ok {
			return errors.New("-a is not of the form user:password")
		}
		req.SetBasicAuth(user, password)
	}
	o.request = req
	return nil
}
