package example.sidegate;

import io.grpc.netty.NettyChannelBuilder;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.channel.epoll.EpollEventLoopGroup;
import io.netty.channel.unix.DomainSocketAddress;

/**
 * The way to a daemon's Unix socket: {@code new Sidegate(UnixSocket.at("/sockets/sidegate/data.sock"))}.
 *
 * <p>It needs {@code io.netty:netty-transport-native-epoll} with the classifier of the machine, as {@code linux-x86_64}, of
 * the version that grpc-netty uses. Leave this file out where decisions come over TCP.
 */
public final class UnixSocket {
  /** One thread for all sockets, for as long as the process lives. */
  private static final EpollEventLoopGroup GROUP = new EpollEventLoopGroup(1);

  private UnixSocket() {}

  /** A channel to the socket, which need not be there yet. */
  public static NettyChannelBuilder at(String path) {
    return NettyChannelBuilder.forAddress(new DomainSocketAddress(path))
        .eventLoopGroup(GROUP)
        .channelType(EpollDomainSocketChannel.class)
        // Else the socket's path is sent as the host, which HTTP/2 refuses.
        .overrideAuthority("localhost");
  }
}
