package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"sync"

	"github.com/serin-dev/serin/e2e/load/stream"
)

// streams are the streams under way, by name.
type streams struct {
	mu     sync.Mutex
	byName map[string]*stream.Stream
}

func newStreams() *streams { return &streams{byName: map[string]*stream.Stream{}} }

func (s *streams) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /streams/{name}", s.start)
	mux.HandleFunc("GET /streams/{name}", s.report)
	mux.HandleFunc("DELETE /streams/{name}", s.stop)
	mux.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	return mux
}

func (s *streams) start(w http.ResponseWriter, r *http.Request) {
	var spec stream.Spec
	err := json.NewDecoder(r.Body).Decode(&spec)
	if err == nil {
		err = spec.Check()
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	name := r.PathValue("name")
	if s.byName[name] != nil {
		http.Error(w, fmt.Sprintf("stream %s is under way already", name), http.StatusConflict)
		return
	}
	s.byName[name] = stream.Start(spec)
	w.WriteHeader(http.StatusCreated)
}

func (s *streams) report(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	found := s.byName[r.PathValue("name")]
	s.mu.Unlock()
	if found == nil {
		http.NotFound(w, r)
		return
	}
	from, err := strconv.ParseInt(r.FormValue("from"), 10, 64)
	if err != nil && r.FormValue("from") != "" {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	write(w, found.Report(from))
}

func (s *streams) stop(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	s.mu.Lock()
	found := s.byName[name]
	delete(s.byName, name)
	s.mu.Unlock()
	if found == nil {
		http.NotFound(w, r)
		return
	}
	write(w, found.Stop())
}

func write(w http.ResponseWriter, report stream.Report) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(report) // whoever hung up has no use for it
}
