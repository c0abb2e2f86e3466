package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// The files that the holder inherits, by number.
const (
	holdListener = 3
	holdReport   = 4
)

// holderReady is what the holder reports when its mounts are in place.
const holderReady = "ready"

// startHolder starts the process that owns the cluster's mount namespace and
// forwards the API's port of the host into the network namespace. The listening
// socket is opened here and handed over: a socket belongs to the network it was
// opened in, so the holder accepts from the host and connects in the namespace.
func (c *Cluster) startHolder(ctx context.Context) error {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(c.Port)))
	if err != nil {
		return fmt.Errorf("port for the API: %w (another port: up -port N)", err)
	}
	defer func() { _ = listener.Close() }()
	socket, err := listener.(*net.TCPListener).File()
	if err != nil {
		return fmt.Errorf("hand over the port for the API: %w", err)
	}
	defer func() { _ = socket.Close() }()
	report, reporter, err := os.Pipe()
	if err != nil {
		return err
	}
	defer func() { _ = report.Close() }()

	cmd := entry{daemon: true}.command("/proc/self/exe", HoldVerb, c.Run, strconv.Itoa(c.Port))
	cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWNS
	cmd.ExtraFiles = []*os.File{socket, reporter}
	c.holder, err = c.launch("holder", cmd)
	if err := errors.Join(err, reporter.Close()); err != nil {
		return err
	}
	said, err := io.ReadAll(report)
	if err == nil && string(said) == holderReady {
		return nil
	}
	return errors.Join(err, fmt.Errorf("the holder of the mounts is not ready: %s (its output is in %s)", said, c.path("log")))
}

// Hold is the holder. It returns only an error.
func Hold(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("usage: %s RUN PORT", HoldVerb)
	}
	run, port := args[0], args[1]
	report := os.NewFile(holdReport, "report")
	listener, err := net.FileListener(os.NewFile(holdListener, "listener"))
	if err == nil {
		err = privateMounts(run)
	}
	if err != nil {
		_, writeErr := fmt.Fprint(report, err)
		return errors.Join(err, writeErr)
	}
	if _, err := fmt.Fprint(report, holderReady); err != nil {
		return err
	}
	if err := report.Close(); err != nil {
		return err
	}
	return forward(listener, net.JoinHostPort("127.0.0.1", port))
}

// forward connects everybody who comes to target.
func forward(listener net.Listener, target string) error {
	for {
		conn, err := listener.Accept()
		if errors.Is(err, unix.ECONNABORTED) {
			continue // gone before we came
		}
		if err != nil {
			return fmt.Errorf("accept: %w", err)
		}
		go splice(conn, target)
	}
}

func splice(client net.Conn, target string) {
	defer func() { _ = client.Close() }()
	var dialer net.Dialer
	server, err := dialer.DialContext(context.Background(), "tcp", target)
	if err != nil {
		return // the client sees the connection close: no API server there
	}
	defer func() { _ = server.Close() }()
	answered := make(chan struct{})
	go func() {
		copyHalf(client, server)
		close(answered)
	}()
	copyHalf(server, client)
	<-answered
}

// copyHalf copies one direction and passes its end on; the other may go on.
func copyHalf(to, from net.Conn) {
	_, _ = io.Copy(to, from)
	_ = to.(*net.TCPConn).CloseWrite()
}
