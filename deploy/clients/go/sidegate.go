// Package sidegate is a client of Sidegate that denies whenever it is not told to allow.
//
// The messages are generated from Sidegate's proto/ into gen/, by protoc-gen-go and protoc-gen-go-grpc of any version:
//
//	protoc -I proto --go_out=gen --go-grpc_out=gen sidegate/v1/value.proto sidegate/v1/authorization.proto
package sidegate

import (
	"context"
	"net"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	pb "sidegate.example/client/gen/sidegate/v1"
)

// Deadline of every call: a decision takes microseconds. What is not there after this is not coming, and somebody waits
// for the page.
const Deadline = 500 * time.Millisecond

// Decisions change nothing, so asking again is safe. UNAVAILABLE: restarting, or no snapshot yet. While most calls fail,
// none is tried again. (Before grpc-go 1.40 this needs GRPC_GO_RETRY=on in the environment.)
const serviceConfig = `{
	"methodConfig": [{
		"name": [{"service": "sidegate.v1.AuthorizationService"}],
		"retryPolicy": {
			"maxAttempts": 3,
			"initialBackoff": "0.02s",
			"maxBackoff": "0.2s",
			"backoffMultiplier": 2,
			"retryableStatusCodes": ["UNAVAILABLE"]
		}
	}],
	"retryThrottling": {"maxTokens": 10, "tokenRatio": 0.1}
}`

// Entity is a subject or a resource.
type Entity struct{ Type, ID string }

// Answer says whether the subject may, and why: a reason of the policy, or an error in brackets. Why is for logs, not for
// users. The zero Answer denies.
type Answer struct {
	Allowed bool
	Why     string
}

// Client asks a daemon. Share one in a process: it is safe for concurrent use and connects again by itself.
type Client struct {
	connection *grpc.ClientConn
	service    pb.AuthorizationServiceClient
}

// New makes a client of a daemon at "127.0.0.1:8650" or "unix:/sockets/sidegate/data.sock", which need not be there yet.
func New(address string) (*Client, error) {
	options := []grpc.DialOption{
		// With a newer grpc-go: grpc.WithTransportCredentials(insecure.NewCredentials()), and grpc.NewClient below.
		grpc.WithInsecure(),
		grpc.WithDefaultServiceConfig(serviceConfig),
		grpc.WithDisableServiceConfig(),
		// Without these a client of a daemon that was away for long asks only every two minutes whether it is back.
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: time.Second},
			MinConnectTimeout: Deadline,
		}),
		// Finds a peer that is gone without a word while calls wait for it.
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 30 * time.Second, Timeout: 5 * time.Second}),
		// Never through a proxy of the environment.
		grpc.WithNoProxy(),
	}
	target := "passthrough:///" + address
	if path := strings.TrimPrefix(address, "unix:"); path != address {
		// The host is then a name, never the socket's path, which HTTP/2 refuses.
		target = "passthrough:///localhost"
		options = append(options, grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		}))
	}
	connection, err := grpc.Dial(target, options...)
	if err != nil {
		return nil, err
	}
	return &Client{connection, pb.NewAuthorizationServiceClient(connection)}, nil
}

// Close ends the connection.
func (c *Client) Close() error { return c.connection.Close() }

// Allowed says whether it is allowed. Whatever else happens, it is not.
func (c *Client) Allowed(ctx context.Context, subject Entity, action string, resource Entity) bool {
	return c.Check(ctx, subject, action, resource).Allowed
}

// Check says the same, and why.
func (c *Client) Check(ctx context.Context, subject Entity, action string, resource Entity) Answer {
	ctx, cancel := context.WithTimeout(ctx, Deadline)
	defer cancel()
	answer, err := c.service.Authorize(ctx, question(subject, action, resource))
	if err != nil {
		return failed(err)
	}
	return decided(answer.GetDecision(), answer.GetReason())
}

// CheckAll gives an answer for every action, in order, by one call on one snapshot: which buttons does this page show?
func (c *Client) CheckAll(ctx context.Context, subject, resource Entity, actions []string) []Answer {
	ctx, cancel := context.WithTimeout(ctx, Deadline)
	defer cancel()
	batch := &pb.BatchAuthorizeRequest{}
	for _, action := range actions {
		batch.Requests = append(batch.Requests, question(subject, action, resource))
	}
	answers := make([]Answer, len(actions))
	answer, err := c.service.BatchAuthorize(ctx, batch)
	for i := range answers {
		switch {
		case err != nil:
			answers[i] = failed(err)
		case len(answer.GetResults()) != len(actions):
			answers[i] = Answer{Why: "(answers are missing)"}
		default:
			answers[i] = ofItem(answer.GetResults()[i])
		}
	}
	return answers
}

func question(subject Entity, action string, resource Entity) *pb.AuthorizeRequest {
	return &pb.AuthorizeRequest{
		Subject:  &pb.Subject{Type: subject.Type, Id: subject.ID},
		Action:   &pb.Action{Name: action},
		Resource: &pb.Resource{Type: resource.Type, Id: resource.ID},
	}
}

func ofItem(result *pb.BatchAuthorizeResult) Answer {
	if verdict := result.GetVerdict(); verdict != nil {
		return decided(verdict.GetDecision(), verdict.GetReason())
	}
	if problem := result.GetError(); problem != nil {
		return Answer{Why: "(" + problem.GetMessage() + ")"}
	}
	return Answer{Why: "(no outcome)"}
}

// Only this one value allows: not its absence, and not a value that this client does not know.
func decided(decision pb.Decision, reason pb.Reason) Answer {
	return Answer{decision == pb.Decision_DECISION_ALLOW, strings.TrimPrefix(reason.String(), "REASON_")}
}

func failed(err error) Answer { return Answer{Why: "(" + status.Code(err).String() + ")"} }
