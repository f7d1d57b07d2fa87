//! Lists in pages.

use tonic::Code;
use um_wire::v1;

use crate::{
    fixture::{Fixture, refused},
    resources::user,
};

fn page(size: i32, token: &str) -> v1::ListUsersRequest {
    v1::ListUsersRequest { page_size: size, page_token: token.into(), read_mask: None }
}

pub(crate) async fn pages_are_of_one_revision(fixture: &mut Fixture) {
    let control = &mut fixture.control;
    let users = (0..7).map(|n| user(&format!("u{n}"), &format!("200{n}"), None).into()).collect();
    control.apply(users).await;
    let first = control.users.list_users(page(3, "")).await.unwrap().into_inner();
    let names =
        |list: &v1::ListUsersResponse| list.users.iter().map(|user| user.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&first), ["users/u0", "users/u1", "users/u2"]);

    // What changes meanwhile is not in the list any more.
    let delete = v1::DeleteUserRequest { name: "users/u4".into(), ..Default::default() };
    control.users.delete_user(delete).await.unwrap();
    control.create_user("u30", "3000").await;
    let second = control.users.list_users(page(3, &first.next_page_token)).await.unwrap().into_inner();
    assert_eq!(names(&second), ["users/u3", "users/u4", "users/u5"]);
    let third = control.users.list_users(page(3, &second.next_page_token)).await.unwrap().into_inner();
    assert_eq!((names(&third), &*third.next_page_token), (vec!["users/u6".to_owned()], ""));
    assert_eq!((first.revision, second.revision), (second.revision, third.revision));

    let fresh = control.users.list_users(page(1000, "")).await.unwrap().into_inner();
    assert_eq!(fresh.users.len(), 7);
    assert!(fresh.revision > first.revision);
    assert_eq!(names(&fresh)[3..5], ["users/u3", "users/u30"]);
}

pub(crate) async fn page_tokens_are_checked(fixture: &mut Fixture) {
    let control = &mut fixture.control;
    control.apply((0..3).map(|n| user(&format!("u{n}"), &format!("200{n}"), None).into()).collect()).await;
    refused(control.users.list_users(page(-1, "")).await, Code::InvalidArgument, "FIELD_INVALID");
    refused(control.users.list_users(page(1, "x")).await, Code::InvalidArgument, "PAGE_TOKEN_INVALID");
    let token = control.users.list_users(page(1, "")).await.unwrap().into_inner().next_page_token;
    let lines = v1::ListLinesRequest { page_token: token, ..Default::default() };
    refused(control.lines.list_lines(lines).await, Code::InvalidArgument, "PAGE_TOKEN_INVALID");
    let forgotten = page(1, "1.users/u0");
    refused(control.users.list_users(forgotten).await, Code::InvalidArgument, "PAGE_TOKEN_EXPIRED");
}
