//! `registry DATA LISTEN [HTPASSWD [RIGHTS]]`, for development.
use signet_server::registry::{AuthFiles, Config};

#[tokio::main]
async fn main() {
    let mut args = std::env::args().skip(1);
    let data = args.next().unwrap().into();
    let mut config = Config::new(data, args.next().unwrap().parse().unwrap());
    config.auth = args.next().map(|f| AuthFiles { htpasswd: f.into(), rights: args.next().map(Into::into) });
    let app = config.build().await.unwrap();
    println!("{}", app.local_addr());
    app.run(async { tokio::signal::ctrl_c().await.unwrap() }).await;
}
