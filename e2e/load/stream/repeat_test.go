package stream

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/protobuf/encoding/protowire"
)

// TestRepeatsAreCounted has servers that make clients send requests again: none fails, and none is hidden.
func TestRepeatsAreCounted(t *testing.T) {
	for protocol, serve := range map[string]func(*testing.T, *atomic.Int32) (url string){
		HTTP1: closesKept, HTTP2: refusesSome, GRPC: refusesSome,
	} {
		t.Run("protocol "+protocol, func(t *testing.T) {
			var met atomic.Int32
			s := Start(Spec{URL: serve(t, &met), Protocol: protocol, Rate: 100, Expect: http.StatusOK})
			for met.Load() < 60 {
				time.Sleep(time.Millisecond)
			}
			r := s.Stop()
			again := int(met.Load()) - r.Total.Sent
			if r.Total.Failed > 0 || again < 1 || r.Total.Repeated < again {
				t.Errorf("%v: the server met %d more; %v", r.Total, again, r.Failures)
			}
		})
	}
}

// closesKept answers the first request of each connection, and ends it without an answer to the second.
func closesKept(t *testing.T, met *atomic.Int32) (url string) {
	type used struct{}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		met.Add(1)
		if r.Context().Value(used{}).(*atomic.Int32).Add(1) > 1 {
			panic(http.ErrAbortHandler)
		}
	}))
	server.Config.ConnContext = func(ctx context.Context, _ net.Conn) context.Context {
		return context.WithValue(ctx, used{}, new(atomic.Int32))
	}
	server.Start()
	t.Cleanup(server.Close)
	return server.URL
}

// refusesSome refuses every tenth request, in HTTP/2 and so in gRPC.
func refusesSome(t *testing.T, met *atomic.Int32) (url string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				_ = refuseSome(conn, met) // it ends when the client goes
			}()
		}
	}()
	return "http://" + listener.Addr().String() + "/"
}

func refuseSome(conn net.Conn, met *atomic.Int32) error {
	if _, err := io.CopyN(io.Discard, conn, int64(len(http2.ClientPreface))); err != nil {
		return err
	}
	framer := http2.NewFramer(conn, conn)
	if err := framer.WriteSettings(); err != nil {
		return err
	}
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			return err
		}
		switch f := frame.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				err = framer.WriteSettingsAck()
			}
		case *http2.PingFrame:
			if !f.IsAck() {
				err = framer.WritePing(true, f.Data)
			}
		case *http2.HeadersFrame:
			if met.Add(1)%10 == 0 {
				err = framer.WriteRSTStream(f.StreamID, http2.ErrCodeRefusedStream)
			} else {
				err = answerVersion(framer, f.StreamID)
			}
		}
		if err != nil {
			return err
		}
	}
}

// answerVersion answers as podinfo's version service does, which is an answer to any request by HTTP/2.
func answerVersion(framer *http2.Framer, stream uint32) error {
	write := func(end bool, pairs ...string) error {
		var block bytes.Buffer
		encoder := hpack.NewEncoder(&block)
		encoder.SetMaxDynamicTableSize(0) // each block stands alone
		for i := 0; i < len(pairs); i += 2 {
			if err := encoder.WriteField(hpack.HeaderField{Name: pairs[i], Value: pairs[i+1]}); err != nil {
				return err
			}
		}
		return framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: end})
	}
	if err := write(false, ":status", "200", "content-type", "application/grpc"); err != nil {
		return err
	}
	message := protowire.AppendString(protowire.AppendTag(nil, versionField, protowire.BytesType), "6.0.1")
	if err := framer.WriteData(stream, false, append([]byte{0, 0, 0, 0, byte(len(message))}, message...)); err != nil {
		return err
	}
	return write(true, "grpc-status", "0")
}
