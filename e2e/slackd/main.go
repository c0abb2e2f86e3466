// Command slackd stands in for Slack in demos and tests: it takes incoming webhooks and a bot's
// chat.postMessage and chat.update, prints what a reader of the channel would see, and tells it at
// GET /events?from=N. It knows neither channels nor tokens: everybody may post.
//
// POST /hook is anybody's webhook, and says yes. PUT /faults/slack and PUT /faults/hook tell Slack's part
// and the webhook to misbehave: see event.Fault.
//
// With -tls-name it also listens for HTTPS, as Slack does, under a certificate of its own making that
// GET /ca.pem on the plain port gives to whoever is to trust it.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	listen := flag.String("listen", ":8080", "`address` to listen on")
	tlsListen := flag.String("tls-listen", ":8443", "`address` to listen on for HTTPS")
	tlsName := flag.String("tls-name", "", "host `name` of the certificate; without it there is no HTTPS")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *listen, *tlsListen, *tlsName); err != nil {
		fmt.Fprintln(os.Stderr, "slackd:", err)
		os.Exit(1) //nolint:gocritic // exitAfterDefer: nothing is left to undo
	}
}

func run(ctx context.Context, listen, tlsListen, tlsName string) error {
	mux := http.NewServeMux()
	mux.Handle("/", newChannel().handler())
	ended := make(chan error, 2)
	if tlsName != "" {
		cert, ca, err := selfSigned(tlsName)
		if err != nil {
			return err
		}
		mux.HandleFunc("GET /ca.pem", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(ca) })
		secure := server(ctx, tlsListen, mux)
		secure.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
		go func() { ended <- secure.ListenAndServeTLS("", "") }()
	}
	go func() { ended <- server(ctx, listen, mux).ListenAndServe() }()
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// server ends with the context.
func server(ctx context.Context, listen string, handler http.Handler) *http.Server {
	s := &http.Server{Addr: listen, Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	context.AfterFunc(ctx, func() { _ = s.Close() })
	return s
}
