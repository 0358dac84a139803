//! The claim about whose the memories beside the log are that root writes, as it does by an offline purge.

use std::os::unix::fs::{MetadataExt as _, chown};

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn what_root_remembers_beside_the_log_belongs_to_whom_the_log_belongs_to() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let home = home();
    let log = &home.config.ledger.dir;
    chown(log, Some(12_345), Some(54_321)).unwrap();
    home.approve(&[0, 1]);
    home.start(Arc::default()).await.unwrap();
    let acts = home.acts(Arc::default()).unwrap();
    acts.record(Act::new("policies", "policies-activated", OPERATOR), |known| known.policies = Some("next".to_owned())).await.unwrap();
    for name in ["acts.json", "authority.json"] {
        let found = std::fs::metadata(log.join(name)).unwrap();
        assert_eq!((found.uid(), found.gid()), (12_345, 54_321), "{name}");
    }
}
