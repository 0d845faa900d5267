//! The pages behind an approval link: work without scripts and without an account.

use axum::http::StatusCode;
use axum::response::Response;

use super::form::{FormAnswers, fields_html};
use super::html::{escape_html, framed_page};
use super::question::Question;
use super::subject::subject_html;
use crate::api::ResumeAction;
use crate::http::problem::Problem;

/// Renders the approval gate, with what is to be approved and a form to answer it.
pub(super) fn question_page(question: &Question) -> Response {
    if !question.open {
        return answered_page(question);
    }
    question_form(StatusCode::OK, question, &FormAnswers::default(), None)
}

/// Renders the gate again after an answer that was refused: with what was entered, and the errors at their fields.
pub(super) fn refused_page(question: &Question, given: &FormAnswers, problem: &Problem) -> Response {
    question_form(problem.status(), question, given, Some(problem))
}

/// Renders the confirmation of an answer.
pub(super) fn thanks_page(action: ResumeAction, question: &Question) -> Response {
    let name = escape_html(&question.name);
    let missing = question.approval.as_ref().map_or(0, |approval| approval.remaining);
    let (title, body) = match action {
        ResumeAction::Resume if missing > 0 => {
            let approvals =
                if missing == 1 { "1 more approval".to_owned() } else { format!("{missing} more approvals") };
            ("Approved", format!("Thank you. <b>{name}</b> continues after {approvals}."))
        }
        ResumeAction::Resume => ("Approved", format!("Thank you. <b>{name}</b> continues.")),
        ResumeAction::Cancel => ("Disapproved", format!("Thank you. <b>{name}</b> does not continue.")),
    };
    framed_page(
        StatusCode::OK,
        title,
        &format!("<section><p>{body}</p><p class=\"note\">You can close this page.</p></section>"),
    )
}

/// Renders a problem of a link: it is invalid, its job was deleted or it was answered.
pub(super) fn problem_page(problem: &Problem) -> Response {
    let title = match problem.status() {
        StatusCode::NOT_FOUND => "Invalid link",
        StatusCode::CONFLICT => "Answered",
        _ => "The answer was not accepted",
    };
    let body = format!("<section><p>{}</p></section>", sentence(problem.detail()));
    framed_page(problem.status(), title, &body)
}

fn answered_page(question: &Question) -> Response {
    let Question { name, step, .. } = question;
    let body = format!(
        "<section><p>Step <b>{}</b> of <b>{}</b> no longer waits for an approval.</p></section>",
        escape_html(step),
        escape_html(name)
    );
    framed_page(StatusCode::OK, "Answered", &body)
}

fn question_form(status: StatusCode, question: &Question, given: &FormAnswers, problem: Option<&Problem>) -> Response {
    let Question { name, step, approval, form, .. } = question;
    let rest = approval.as_ref().map(|approval| {
        let needed = match (approval.required, approval.given) {
            (1, _) => String::new(),
            (required, given) => format!(" {required} approvals are needed, {given} received."),
        };
        let until = escape_html(&approval.until);
        format!(" It waits until <time datetime=\"{until}\">{}</time>.{needed}", readable_time(&until))
    });
    let fields = fields_html(form, given, problem.map_or(&[], Problem::faults));
    let alert = problem.map(|problem| format!("<div role=\"alert\">{}</div>", sentence(problem.detail())));
    let body = format!(
        "<p><b>{}</b> needs your approval after step <b>{}</b>.{}</p>{}{}\
         <form method=\"post\" novalidate aria-label=\"Your answer\">{fields}\
         <div class=\"answers\"><button name=\"action\" value=\"resume\">Approve</button>\
         <button name=\"action\" value=\"cancel\">Disapprove</button></div></form>",
        escape_html(name),
        escape_html(step),
        rest.unwrap_or_default(),
        alert.unwrap_or_default(),
        subject_html(&question.output),
    );
    framed_page(status, "Approval", &body)
}

/// Writes a time without its seconds: `2026-01-31 23:59 UTC`.
fn readable_time(rfc3339: &str) -> String {
    let minutes = rfc3339.get(..16).unwrap_or(rfc3339);
    format!("{} UTC", minutes.replace('T', " "))
}

/// Writes a problem's message, which begins in lower case, as a sentence.
fn sentence(message: &str) -> String {
    let mut chars = message.chars();
    let text = chars.next().map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), chars.as_str()));
    escape_html(&text)
}
