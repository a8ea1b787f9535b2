package example.sidegate;

import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.NettyChannelBuilder;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import sidegate.v1.Authorization.Action;
import sidegate.v1.Authorization.AuthorizeRequest;
import sidegate.v1.Authorization.AuthorizeResponse;
import sidegate.v1.Authorization.BatchAuthorizeRequest;
import sidegate.v1.Authorization.BatchAuthorizeResult;
import sidegate.v1.Authorization.Resource;
import sidegate.v1.Authorization.Subject;
import sidegate.v1.AuthorizationServiceGrpc;
import sidegate.v1.ValueOuterClass.Decision;
import sidegate.v1.ValueOuterClass.Reason;

/**
 * A client of Sidegate that denies whenever it is not told to allow.
 *
 * <p>It needs {@code io.grpc:grpc-netty}, {@code grpc-protobuf} and {@code grpc-stub}, and the classes that {@code
 * protoc} with grpc-java's plugin makes of Sidegate's {@code proto/}.
 *
 * <p>Make one for a process and share it: it is safe between threads and connects again by itself.
 */
public final class Sidegate implements AutoCloseable {
  /** A decision takes microseconds: what is not there after this is not coming, and somebody waits for the page. */
  private static final long DEADLINE_MILLIS = 500;

  /** How often a daemon that is away is looked for; grpc-java's own pauses grow to two minutes. */
  private static final long LOOK_NANOS = TimeUnit.SECONDS.toNanos(1);

  /** Decisions change nothing, so asking again is safe. UNAVAILABLE: restarting, or no snapshot yet. */
  private static final Map<String, ?> SERVICE_CONFIG =
      Map.of(
          "methodConfig",
          List.of(
              Map.of(
                  "name", List.of(Map.of("service", "sidegate.v1.AuthorizationService")),
                  "retryPolicy",
                      Map.of(
                          "maxAttempts", 3.0,
                          "initialBackoff", "0.02s",
                          "maxBackoff", "0.2s",
                          "backoffMultiplier", 2.0,
                          "retryableStatusCodes", List.of("UNAVAILABLE")))),
          // While most calls fail, none is tried again.
          "retryThrottling", Map.of("maxTokens", 10.0, "tokenRatio", 0.1));

  /** The type and the id of a subject or a resource. */
  public record Entity(String type, String id) {}

  /** Whether the subject may, and why: a reason of the policy, or an error in brackets. For logs, not for users. */
  public record Answer(boolean allowed, String why) {}

  private final ManagedChannel channel;
  private final AuthorizationServiceGrpc.AuthorizationServiceBlockingStub service;
  private final AtomicLong lookedAt = new AtomicLong(System.nanoTime() - LOOK_NANOS);

  /** Of a daemon at {@code 127.0.0.1:8650}, which need not be there yet. */
  public Sidegate(String address) {
    // Never through a proxy of the environment.
    this(NettyChannelBuilder.forTarget(address).proxyDetector(target -> null));
  }

  /** Of a daemon to which the builder leads: see {@link UnixSocket}. */
  public Sidegate(NettyChannelBuilder builder) {
    channel =
        builder
            .usePlaintext()
            .enableRetry()
            .defaultServiceConfig(SERVICE_CONFIG)
            // Finds a peer that is gone without a word while calls wait for it.
            .keepAliveTime(30, TimeUnit.SECONDS)
            .keepAliveTimeout(5, TimeUnit.SECONDS)
            .build();
    service = AuthorizationServiceGrpc.newBlockingStub(channel);
  }

  /**
   * Asks something whose answer does not matter, before the application takes requests: the first call of a JVM loads
   * classes for longer than its deadline.
   */
  public void warmUp() {
    try {
      var nothing = new Entity("nothing", "nothing");
      service.withDeadlineAfter(10, TimeUnit.SECONDS).authorize(question(nothing, "nothing", nothing));
    } catch (StatusRuntimeException error) {
      // Not there yet: the calls that matter deny.
    }
  }

  /** Whether it is allowed. Whatever else happens, it is not. */
  public boolean allowed(Entity subject, String action, Entity resource) {
    return check(subject, action, resource).allowed();
  }

  /** The same, and why. */
  public Answer check(Entity subject, String action, Entity resource) {
    try {
      AuthorizeResponse answer = stub().authorize(question(subject, action, resource));
      return decided(answer.getDecision(), answer.getReason());
    } catch (StatusRuntimeException error) {
      return failed(error);
    }
  }

  /** An answer for every action, in order, by one call on one snapshot: which buttons does this page show? */
  public List<Answer> checkAll(Entity subject, Entity resource, List<String> actions) {
    BatchAuthorizeRequest.Builder batch = BatchAuthorizeRequest.newBuilder();
    for (String action : actions) {
      batch.addRequests(question(subject, action, resource));
    }
    try {
      List<BatchAuthorizeResult> results = stub().batchAuthorize(batch.build()).getResultsList();
      if (results.size() != actions.size()) {
        return Collections.nCopies(actions.size(), new Answer(false, "(answers are missing)"));
      }
      List<Answer> answers = new ArrayList<>();
      for (BatchAuthorizeResult result : results) {
        answers.add(ofItem(result));
      }
      return answers;
    } catch (StatusRuntimeException error) {
      return Collections.nCopies(actions.size(), failed(error));
    }
  }

  @Override
  public void close() {
    channel.shutdownNow();
  }

  private AuthorizationServiceGrpc.AuthorizationServiceBlockingStub stub() {
    return service.withDeadlineAfter(DEADLINE_MILLIS, TimeUnit.MILLISECONDS);
  }

  private static AuthorizeRequest question(Entity subject, String action, Entity resource) {
    return AuthorizeRequest.newBuilder()
        .setSubject(Subject.newBuilder().setType(subject.type()).setId(subject.id()))
        .setAction(Action.newBuilder().setName(action))
        .setResource(Resource.newBuilder().setType(resource.type()).setId(resource.id()))
        .build();
  }

  private static Answer ofItem(BatchAuthorizeResult result) {
    return switch (result.getOutcomeCase()) {
      case VERDICT -> decided(result.getVerdict().getDecision(), result.getVerdict().getReason());
      case ERROR -> new Answer(false, "(" + result.getError().getMessage() + ")");
      default -> new Answer(false, "(no outcome)");
    };
  }

  /** Only this one value allows: not its absence, and not a value that this client does not know. */
  private static Answer decided(Decision decision, Reason reason) {
    return new Answer(decision == Decision.DECISION_ALLOW, reason.name().replaceFirst("^REASON_", ""));
  }

  private Answer failed(StatusRuntimeException error) {
    if (error.getStatus().getCode() == Status.Code.UNAVAILABLE) {
      long now = System.nanoTime();
      long before = lookedAt.get();
      if (now - before > LOOK_NANOS && lookedAt.compareAndSet(before, now)) {
        channel.resetConnectBackoff();
      }
    }
    return new Answer(false, "(" + error.getStatus().getCode() + ")");
  }
}
