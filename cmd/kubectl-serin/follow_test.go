package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"
)

// A control plane that is upgraded must not fail a pipeline.
func TestAnAPIServerThatIsAwayIsWaitedFor(t *testing.T) {
	s := newServer(t)
	g := newGateway(t)
	w := mid(nil)
	s.has(t, w)
	through := s
	through.kubeconfig = writeKubeconfig(t, &rest.Config{Host: g.URL}, s.namespace)
	ended := through.background(t, "status", "podinfo", "--wait", "--timeout=1m")
	time.Sleep(200 * time.Millisecond) // not needed: an earlier end of the way in is met as well, but seldom
	g.shut.Store(true)
	g.CloseClientConnections()
	w.until(3 * time.Minute)
	s.show(t, w)
	select {
	case got := <-ended:
		t.Fatalf("it ended while nothing could be known: %+v", got)
	case <-time.After(time.Second):
	}
	g.shut.Store(false)
	if got := <-ended; got.code != exitDone || !strings.Contains(got.stdout, "podinfo:6.0.1 was promoted") {
		t.Errorf("%+v", got)
	}
}

// A cluster without Serin answers with a page, as for any path that it does not know.
func TestAClusterWithoutSerin(t *testing.T) {
	cluster := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(cluster.Close)
	s := server{kubeconfig: writeKubeconfig(t, &rest.Config{Host: cluster.URL}, "test")}
	for _, args := range []string{"pause podinfo", "status podinfo --wait", "revisions podinfo"} {
		got := s.run(t, strings.Fields(args)...)
		if want := "this cluster knows no canaries.serin.dev: Serin's CRDs are not installed\n"; got.code != exitBroken || got.stderr != want {
			t.Errorf("%s: %+v, want %s", args, got, want)
		}
	}
}

func TestAClusterThatIsNotThere(t *testing.T) {
	cluster := httptest.NewServer(http.NotFoundHandler())
	cluster.Close()
	s := server{kubeconfig: writeKubeconfig(t, &rest.Config{Host: cluster.URL}, "test")}
	if got := s.run(t, "abort", "podinfo"); got.code != exitBroken || !strings.Contains(got.stderr, "connection refused") {
		t.Errorf("%+v", got)
	}
}
