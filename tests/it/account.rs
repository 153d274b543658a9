//! AccountService: the signed-in user's own account.

mod change_password;
mod delete_account;
mod get_account;
mod update_account;
