//! The service, stopped or killed and started again: nobody is logged out by it.

use crate::harness::TestApp;

#[tokio::test]
async fn sessions_outlive_the_service() {
    let mut app = TestApp::start().await;
    let mut phone = app.user("alice@example.com").await.sign_in("phone").await;
    app.stop().await;
    app.start_again().await;
    phone.renew().await.unwrap();
    app.kill().await;
    app.start_again().await;
    phone.renew().await.unwrap();
    assert_eq!(phone.list_sessions().await.unwrap().len(), 1);
}
