// Command slackd stands in for Slack in demos and tests: it takes incoming webhooks and a bot's
// chat.postMessage and chat.update, prints what a reader of the channel would see, and tells it at
// GET /events?from=N. It knows neither channels nor tokens: everybody may post.
package main

import (
	"context"
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
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	server := &http.Server{Addr: *listen, Handler: newChannel().handler(), ReadHeaderTimeout: 5 * time.Second}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		fmt.Fprintln(os.Stderr, "slackd:", err)
		os.Exit(1) //nolint:gocritic // exitAfterDefer: nothing is left to undo
	}
}
