package loadtester

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/serin-dev/serin/pkg/loadtester/gate"
)

// handleGates serves the gates. A webhook asks /gate/check or /rollback/check; people open and close
// them by posting the canary's name and namespace; /gate/approve and /gate/halt are always open and
// always closed.
func (s *Server) handleGates(mux *http.ServeMux) {
	mux.HandleFunc("/gate/approve", s.constant(http.StatusOK, "approved\n"))
	mux.HandleFunc("/gate/halt", s.constant(http.StatusForbidden, "halted: this gate is never open\n"))
	for _, kind := range gate.Kinds {
		path := "/" + string(kind)
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) { s.listGates(w, r, kind) })
		mux.HandleFunc("POST "+path+"/check", func(w http.ResponseWriter, r *http.Request) { s.checkGate(w, r, kind) })
		mux.HandleFunc("POST "+path+"/open", func(w http.ResponseWriter, r *http.Request) { s.setGate(w, r, kind, true) })
		mux.HandleFunc("POST "+path+"/close", func(w http.ResponseWriter, r *http.Request) { s.setGate(w, r, kind, false) })
	}
}

func (s *Server) constant(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := s.authenticate(r); err != nil {
			s.answerRefusal(w, r, err)
			return
		}
		answer(w, status, body)
	}
}

func (s *Server) checkGate(w http.ResponseWriter, r *http.Request, kind gate.Kind) {
	key, err := s.admitGate(w, r, kind)
	if err != nil {
		s.answerRefusal(w, r, err)
		return
	}
	open, err := s.config.Gates.Read(r.Context())
	if err != nil {
		s.answerRefusal(w, r, unkept(err))
		return
	}
	if since, ok := open[key]; ok {
		s.metrics.checks.WithLabelValues(string(kind), "open").Inc()
		answer(w, http.StatusOK, fmt.Sprintf("%s of %s is open since %s\n", kind, key.Canary(), since.Format(time.RFC3339)))
		return
	}
	s.metrics.checks.WithLabelValues(string(kind), "closed").Inc()
	answer(w, http.StatusForbidden, fmt.Sprintf("%s of %s is closed: loadtester %[1]s open %[2]s, run in this pod, opens it\n", kind, key.Canary()))
}

func (s *Server) setGate(w http.ResponseWriter, r *http.Request, kind gate.Kind, open bool) {
	key, err := s.admitGate(w, r, kind)
	if err != nil {
		s.answerRefusal(w, r, err)
		return
	}
	if err := s.config.Gates.Write(r.Context(), key, open); err != nil {
		s.answerRefusal(w, r, unkept(err))
		return
	}
	state := "closed"
	if open {
		state = "open"
	}
	s.metrics.changes.WithLabelValues(string(kind), state).Inc()
	s.config.Log.Info("gate set", "kind", kind, "canary", key.Canary(), "state", state, "from", r.RemoteAddr)
	answer(w, http.StatusAccepted, fmt.Sprintf("%s of %s is %s\n", kind, key.Canary(), state))
}

// openGate is an open gate as it is listed.
type openGate struct {
	Name      string    `json:"name"`
	Namespace string    `json:"namespace"`
	OpenSince time.Time `json:"openSince"`
}

func (s *Server) listGates(w http.ResponseWriter, r *http.Request, kind gate.Kind) {
	if err := s.authenticate(r); err != nil {
		s.answerRefusal(w, r, err)
		return
	}
	open, err := s.config.Gates.Read(r.Context())
	if err != nil {
		s.answerRefusal(w, r, unkept(err))
		return
	}
	list := []openGate{}
	for _, key := range open.Keys(kind) {
		list = append(list, openGate{Name: key.Name, Namespace: key.Namespace, OpenSince: open[key]})
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"open": list}) // an error means that the caller went away
}

// admitGate returns the gate that was posted when its sender may ask for it and set it.
func (s *Server) admitGate(w http.ResponseWriter, r *http.Request, kind gate.Kind) (gate.Key, error) {
	t, err := s.admit(w, r)
	if err != nil {
		return gate.Key{}, err
	}
	key := gate.Key{Kind: kind, Name: t.Name, Namespace: t.Namespace}
	if err := key.Check(); err != nil {
		return gate.Key{}, refuse(http.StatusBadRequest, "malformed",
			"which canary? %v; post {\"name\": \"podinfo\", \"namespace\": \"test\"}", err)
	}
	return key, nil
}

// unkept is the answer when the gates cannot be read or written: nobody knows, so the caller may ask
// again, and what is not known to be open stays shut.
func unkept(err error) error {
	return refuse(http.StatusServiceUnavailable, "gates", "%v", err)
}
