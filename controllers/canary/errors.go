package canary

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/serin-dev/serin/router"
)

// routeError keeps what the plan will say by itself out of the error log: a router that is not
// ready shows as a Problem with the next observation.
func routeError(err error) error {
	var missing *router.NotReady
	if err == nil || errors.As(err, &missing) {
		return nil
	}
	return fmt.Errorf("write the route: %w", err)
}

func ctxlog(ctx context.Context) logr.Logger { return ctrl.LoggerFrom(ctx) }
