#![allow(
    clippy::unwrap_used,
    reason = "in a test, what fails in a helper fails the test"
)]

use super::*;

#[test]
fn a_server_has_databases_and_survives_a_crash() {
    let server = PostgresServer::start(PostgresOptions::default()).unwrap();
    let database = server.database().unwrap();
    database
        .sql("CREATE TABLE kept (number int); INSERT INTO kept VALUES (17)")
        .unwrap();
    server.kill().unwrap();
    assert!(database.sql("SELECT 1").is_err());
    server.restart().unwrap();
    assert_eq!(database.sql("SELECT number FROM kept").unwrap(), "17");
    server.stop().unwrap();
    server.restart().unwrap();
    assert_eq!(database.sql("SELECT number FROM kept").unwrap(), "17");
    let folder = server.own().unwrap().folder.path().to_owned();
    drop(server.sql("postgres", "SELECT 1").unwrap());
    assert!(folder.exists());
    drop(database);
    drop(server);
    assert!(!folder.exists());
}

#[test]
fn a_server_with_tls_has_a_certificate() {
    let server = PostgresServer::start(PostgresOptions {
        tls: true,
        ..PostgresOptions::default()
    })
    .unwrap();
    assert!(server.certificate().is_some());
    let url = format!("{}?sslmode=require", server.url("postgres"));
    let mut psql = server.own().unwrap().programs.command("psql", None);
    psql.args(["-XAt", "-d", &url, "-c", "SHOW ssl"]);
    assert_eq!(programs::answer("asking", &mut psql).unwrap(), "on");
}
