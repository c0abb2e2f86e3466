package load

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
)

// healthCall is what is called when nothing else is asked for.
const healthCall = "grpc.health.v1.Health/Check"

// reflectionTime is how long a server has to describe its methods.
const reflectionTime = 30 * time.Second

type ghzOptions struct {
	plan        plan
	target      target
	timeout     time.Duration
	method      methodSource
	data        []byte
	metadata    metadata.MD
	connections int
}

// Ghz sends unary gRPC requests to one address, with the flags of the program of that name.
func Ghz(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	opts, err := parseGhz(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return exitUsage
	}
	if err != nil {
		fmt.Fprintln(stderr, "ghz:", err)
		return exitUsage
	}
	fire, hangUp, err := opts.prepare(ctx)
	if err != nil {
		fmt.Fprintln(stderr, "ghz:", err)
		return exitUnanswered
	}
	defer hangUp()
	return opts.plan.run(ctx, fire).end("ghz", stdout, stderr)
}

// ghzFlags are those that need more than a type of their own.
type ghzFlags struct {
	data, dataFile, metadata, metadataFile, format string
	longest                                        time.Duration
}

func parseGhz(args []string, stderr io.Writer) (*ghzOptions, error) {
	opts, raw := &ghzOptions{}, ghzFlags{}
	flags := flag.NewFlagSet("ghz", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Int64Var(&opts.plan.requests, "n", 200, "requests in all")
	flags.IntVar(&opts.plan.workers, "c", 50, "workers: requests at the same time")
	flags.Float64Var(&opts.plan.rate, "r", 0, "requests a second of all workers (default: as fast as answers come)")
	flags.DurationVar(&opts.plan.duration, "z", 0, "how long to send; with it -n has no effect")
	flags.DurationVar(&raw.longest, "x", 0, "how long to send at most, with -n")
	flags.DurationVar(&opts.timeout, "t", 20*time.Second, "time that a request may take; 0: any")
	flags.StringVar(&raw.data, "d", "{}", "message as JSON, or a list of them that is gone through")
	flags.StringVar(&raw.dataFile, "D", "", "file with the message")
	flags.StringVar(&raw.metadata, "m", "", "metadata as a JSON object of texts")
	flags.StringVar(&raw.metadataFile, "M", "", "file with the metadata")
	flags.StringVar(&raw.format, "O", "summary", "format; only summary is supported")
	flags.StringVar(&opts.method.call, "call", healthCall, "method as package.Service/Method")
	flags.StringVar(&opts.method.protoFile, "proto", "", ".proto file that describes the method (default: the server's reflection; the health check is known)")
	flags.StringVar(&opts.method.importPaths, "i", "", "folders of files that -proto imports, separated by commas")
	flags.BoolVar(&opts.target.plaintext, "insecure", false, "no TLS")
	flags.BoolVar(&opts.target.noVerify, "skipTLS", false, "TLS without a look at the certificate")
	flags.StringVar(&opts.target.caFile, "cacert", "", "file with the authorities of the certificate")
	flags.StringVar(&opts.target.serverName, "cname", "", "name in the certificate")
	flags.StringVar(&opts.target.authority, "authority", "", ":authority header")
	flags.DurationVar(&opts.target.connectTimeout, "connect-timeout", 10*time.Second, "time that a connection may take")
	flags.IntVar(&opts.connections, "connections", 1, "connections that the workers share")
	aliases(flags, map[string]string{
		"total": "n", "concurrency": "c", "rps": "r", "q": "r", "qps": "r", "duration": "z", "max-duration": "x",
		"timeout": "t", "data": "d", "data-file": "D", "metadata": "m", "metadata-file": "M", "format": "O", "import-paths": "i",
	})
	for _, name := range []string{"cpus", "name", "tags", "keepalive"} {
		flags.String(name, "", "has no effect")
	}
	rest, err := parseAnywhere(flags, args)
	if err != nil {
		return nil, fmt.Errorf("flags: %w", err)
	}
	if len(rest) != 1 {
		return nil, fmt.Errorf("one address is needed, there are %d: %q", len(rest), rest)
	}
	opts.target.address = rest[0]
	return opts, opts.complete(raw)
}

// aliases gives flags their long names.
func aliases(flags *flag.FlagSet, names map[string]string) {
	for alias, name := range names {
		flags.Var(flags.Lookup(name).Value, alias, "the same as -"+name)
	}
}

// parseAnywhere takes flags after the address too.
func parseAnywhere(flags *flag.FlagSet, args []string) ([]string, error) {
	var rest []string
	for {
		if err := flags.Parse(args); err != nil {
			return nil, err
		}
		if flags.NArg() == 0 {
			return rest, nil
		}
		rest, args = append(rest, flags.Arg(0)), flags.Args()[1:]
	}
}

func (o *ghzOptions) complete(raw ghzFlags) error {
	if raw.format != "summary" {
		return fmt.Errorf("-O %s is not supported: only the summary is printed", raw.format)
	}
	switch {
	case o.plan.duration > 0:
		o.plan.requests = 0
	default:
		o.plan.duration = raw.longest
	}
	if err := o.plan.check(); err != nil {
		return err
	}
	if o.connections < 1 {
		return fmt.Errorf("-connections %d: at least one is needed", o.connections)
	}
	var err error
	if o.data, err = textOrFile(raw.data, raw.dataFile); err != nil {
		return fmt.Errorf("-D: %w", err)
	}
	pairs, err := textOrFile(raw.metadata, raw.metadataFile)
	if err != nil {
		return fmt.Errorf("-M: %w", err)
	}
	if len(pairs) == 0 {
		return nil
	}
	var texts map[string]string
	if err := json.Unmarshal(pairs, &texts); err != nil {
		return fmt.Errorf("metadata is not a JSON object of texts: %w", err)
	}
	o.metadata = metadata.New(texts)
	return nil
}

func textOrFile(text, file string) ([]byte, error) {
	if file == "" {
		return []byte(text), nil
	}
	return os.ReadFile(file)
}

// prepare connects, finds the method and reads the messages.
func (o *ghzOptions) prepare(ctx context.Context) (shot, func(), error) {
	conns, hangUp, err := o.target.connect(o.connections)
	if err != nil {
		return nil, nil, err
	}
	asking, cancel := context.WithTimeout(metadata.NewOutgoingContext(ctx, o.metadata), reflectionTime)
	defer cancel()
	method, err := o.method.find(asking, conns[0])
	if err != nil {
		hangUp()
		return nil, nil, err
	}
	messages, err := readMessages(o.data, method.Input())
	if err != nil {
		hangUp()
		return nil, nil, err
	}
	path := "/" + string(method.Parent().FullName()) + "/" + string(method.Name())
	return func(ctx context.Context, n int64) answer {
		if o.timeout > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, o.timeout)
			defer cancel()
		}
		ctx = metadata.NewOutgoingContext(ctx, o.metadata)
		reply := dynamicpb.NewMessage(method.Output())
		err := conns[n%int64(len(conns))].Invoke(ctx, path, messages[n%int64(len(messages))], reply)
		return grpcAnswer(reply, err)
	}, hangUp, nil
}

// readMessages reads one JSON object, or a list of them.
func readMessages(data []byte, kind protoreflect.MessageDescriptor) ([]proto.Message, error) {
	texts := []json.RawMessage{data}
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("[")) {
		if err := json.Unmarshal(data, &texts); err != nil {
			return nil, fmt.Errorf("messages are not JSON: %w", err)
		}
	}
	var messages []proto.Message
	for _, text := range texts {
		message := dynamicpb.NewMessage(kind)
		if err := protojson.Unmarshal(text, message); err != nil {
			return nil, fmt.Errorf("message is not a %s: %s", kind.FullName(), strings.ReplaceAll(err.Error(), "\u00a0", " "))
		}
		messages = append(messages, message)
	}
	if len(messages) == 0 {
		return nil, errors.New("the list of messages is empty")
	}
	return messages, nil
}
