//! The stock echo, `echo ADDRESS`: tonic's server on tokio's default runtime, with the system's allocator.

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    sidegate_peers::serve(&std::env::args().nth(1).ok_or("echo HOST:PORT or echo unix:PATH")?).await
}
