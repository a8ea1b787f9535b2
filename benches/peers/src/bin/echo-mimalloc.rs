//! The echo as a team that measures would run it, `echo-mimalloc ADDRESS`: on one thread, and with mimalloc.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    sidegate_peers::serve(&std::env::args().nth(1).ok_or("echo-mimalloc HOST:PORT or echo-mimalloc unix:PATH")?).await
}
