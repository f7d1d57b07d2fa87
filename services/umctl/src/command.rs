//! The commands: each asks the control plane and shows the answer.

mod apply;
mod delete;
mod describe;
mod edit;
mod export;
mod get;
mod programmed;
mod route;
mod topology;
mod watch;
mod workers;

use clap::CommandFactory;

use crate::config::{Arguments, Command, Form, Route};
use crate::connection::Connection;
use crate::failure::Failure;
use crate::output;

/// Does what the command line says.
///
/// # Errors
///
/// What went wrong; it decides the code of the process.
pub(crate) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let Arguments { server, output: form, timeout, command } = arguments;
    let connection = Connection::new(&server, timeout)?;
    match command {
        Command::Apply(arguments) => apply::run(&connection, form, &arguments).await,
        Command::Diff(arguments) => apply::diff(&connection, form, &arguments).await,
        Command::Get(arguments) => get::run(&connection, form.unwrap_or(Form::Table), &arguments).await,
        Command::Describe(one) => describe::run(&connection, &one).await,
        Command::Delete(arguments) => delete::run(&connection, &arguments).await,
        Command::Edit(arguments) => edit::run(&connection, &arguments).await,
        Command::Export(arguments) => export::run(&connection, &arguments).await,
        Command::Route(Route::Simulate(facts)) => {
            route::run(&connection, form.unwrap_or(Form::Table), facts).await
        }
        Command::Workers(arguments) => {
            workers::run(&connection, form.unwrap_or(Form::Table), &arguments).await
        }
        Command::Topology => topology::run(&connection, form.unwrap_or(Form::Tree)).await,
        Command::Completion(completion) => {
            let mut script = Vec::new();
            clap_complete::generate(completion.shell, &mut Arguments::command(), "umctl", &mut script);
            output::raw(&String::from_utf8_lossy(&script))
        }
        Command::Version => output::line(&format!("umctl {}", env!("CARGO_PKG_VERSION"))),
    }
}

/// Returns the failure of a form that a command does not have.
fn no_such_form(form: Form, command: &str) -> Failure {
    let form = format!("{form:?}").to_lowercase();
    Failure::Usage(format!("{command} has no form `{form}`"))
}
