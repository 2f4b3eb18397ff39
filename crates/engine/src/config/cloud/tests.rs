//! `auth` tables as the operator writes them, and what they come to in an environment.

use super::*;
use crate::config::secrets::FakeEnvironment;
use crate::config::{AnyModel, check};

/// An account with this `auth` at a kind that takes every cloud.
fn settings(auth: &str) -> CloudSettings {
    let text =
        format!("providers.x = {{ kind = \"custom\", base_url = \"https://x.test\", auth = {{ {auth} }} }}");
    let checked = check(&text, &AnyModel);
    assert!(checked.problems.is_empty(), "{:?}", checked.problems);
    checked.config.unwrap().accounts.remove(0).cloud.unwrap()
}

fn problems(account: &str) -> Vec<String> {
    let checked = check(&format!("[providers.x]\n{account}\n"), &AnyModel);
    checked.problems.iter().map(|problem| problem.render("f")).collect()
}

fn resolved(auth: &str, vars: &[(&'static str, &'static str)]) -> CloudAccess {
    let environment = FakeEnvironment { vars: vars.to_vec(), files: vec![] };
    settings(auth).resolve(&environment).unwrap()
}

fn keys(auth: &str, vars: &[(&'static str, &'static str)]) -> AwsKeys {
    let CloudAccess::Aws(scope, keys) = resolved(auth, vars) else { panic!("aws") };
    assert_eq!(scope, Scope { region: "us-east-1".to_owned(), service: "svc".to_owned() });
    keys
}

fn secret(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

const AWS: &str = r#"kind = "aws", region = "us-east-1", service = "svc""#;

#[test]
fn amazons_keys_are_looked_for_in_the_order_of_its_own_clients() {
    let container = ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials/1");
    let web = [("AWS_WEB_IDENTITY_TOKEN_FILE", "/t"), ("AWS_ROLE_ARN", "arn:r")];
    let fixed =
        [("AWS_ACCESS_KEY_ID", "AKIA"), ("AWS_SECRET_ACCESS_KEY", "canary"), ("AWS_SESSION_TOKEN", "t")];
    let instance = AwsKeys::Instance(Text::from("http://169.254.169.254"));
    assert_eq!(keys(AWS, &[]), instance);
    assert_eq!(
        keys(AWS, &[container, ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "x")]),
        AwsKeys::Container {
            url: Text::from("http://169.254.170.2/v2/credentials/1"),
            authorization: Some(SecretSource::Env("AWS_CONTAINER_AUTHORIZATION_TOKEN".to_owned())),
        }
    );
    let pod = [
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v1/credentials"),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/pod"),
    ];
    assert_eq!(
        keys(AWS, &pod),
        AwsKeys::Container {
            url: Text::from("http://169.254.170.23/v1/credentials"),
            authorization: Some(SecretSource::File("/pod".into())),
        }
    );
    let assumed = AwsKeys::WebIdentity {
        endpoint: Text::from("https://sts.us-east-1.amazonaws.com"),
        role: "arn:r".to_owned(),
        session: "trunkline".to_owned(),
        token_file: "/t".into(),
    };
    assert_eq!(keys(AWS, &[&web[..], &[container]].concat()), assumed);
    let all = [&fixed[..], &web, &[container]].concat();
    let ours = AwsKeys::Fixed { id: secret("AKIA"), secret: secret("canary"), token: Some(secret("t")) };
    assert_eq!(keys(AWS, &all), ours);
    assert!(!format!("{:?}", keys(AWS, &all)).contains("canary"));
    assert_eq!(keys(&format!("{AWS}, source = \"instance\""), &all), instance);
    let role = format!("{AWS}, role_arn = \"arn:r\", token_file = \"/t\"");
    assert_eq!(keys(&role, &fixed), assumed);
    let own =
        format!("{AWS}, access_key_id = {{ env = \"MY_ID\" }}, secret_access_key = {{ env = \"MY_KEY\" }}");
    let vars = [&fixed[..], &[("MY_ID", "i"), ("MY_KEY", "k")]].concat();
    assert_eq!(keys(&own, &vars), AwsKeys::Fixed { id: secret("i"), secret: secret("k"), token: None });
}

#[test]
fn half_a_key_in_the_environment_is_said() {
    let environment = FakeEnvironment { vars: vec![("AWS_ACCESS_KEY_ID", "AKIA")], files: vec![] };
    let problem = settings(AWS).resolve(&environment).unwrap_err();
    assert_eq!(problem.message, "environment variable AWS_SECRET_ACCESS_KEY is not set");
}

#[test]
fn googles_tokens_come_from_a_file_of_several_lines_or_from_the_machine() {
    let metadata = CloudAccess::Google {
        credentials: None,
        scope: google::SCOPE.to_owned(),
        endpoint: Text::from("http://169.254.169.254"),
    };
    assert_eq!(resolved("kind = \"google\"", &[]), metadata);
    let file = settings("kind = \"google\", credentials = { file = \"/g.json\" }");
    let environment = FakeEnvironment { vars: vec![], files: vec![("/g.json", b"{\n}\n".to_vec())] };
    let CloudAccess::Google { credentials, endpoint, .. } = file.resolve(&environment).unwrap() else {
        panic!("google")
    };
    assert_eq!(credentials.unwrap().expose(), "{\n}\n");
    assert_eq!(&*endpoint, "https://oauth2.googleapis.com/token");
}

#[test]
fn entras_tokens_come_from_a_secret_a_file_or_the_machine() {
    let source = |auth: &str| {
        let resolved = resolved(&format!("kind = \"entra\"{auth}"), &[("S", "canary")]);
        let CloudAccess::Entra { source, endpoint, .. } = resolved else { panic!("entra") };
        (source, endpoint.to_string())
    };
    let application =
        |proof| EntraTokens::Application { tenant: "t".to_owned(), client: "c".to_owned(), proof };
    let (authority, metadata) =
        ("https://login.microsoftonline.com".to_owned(), "http://169.254.169.254".to_owned());
    assert_eq!(source(""), (EntraTokens::ManagedIdentity(None), metadata.clone()));
    assert_eq!(source(", client_id = \"c\""), (EntraTokens::ManagedIdentity(Some("c".to_owned())), metadata));
    assert_eq!(
        source(", tenant_id = \"t\", client_id = \"c\", client_secret = { env = \"S\" }"),
        (application(EntraProof::Secret(secret("canary"))), authority.clone())
    );
    assert_eq!(
        source(", tenant_id = \"t\", client_id = \"c\", token_file = \"/f\""),
        (application(EntraProof::TokenFile("/f".into())), authority)
    );
}

#[test]
fn what_makes_no_sense_is_said_where_it_stands() {
    let custom = "kind = \"custom\"\nbase_url = \"https://x.test\"\n";
    let said = |auth: &str| problems(&format!("{custom}auth = {{ {auth} }}"));
    insta::assert_snapshot!(said("kind = \"azure\"").join("\n"), @r#"f:4:17 providers.x.auth.kind: must be "aws" or "google" or "entra""#);
    insta::assert_snapshot!(said("kind = \"google\", client_secret = { env = \"S\" }, scop = \"x\"").join("\n"), @r#"
    f:4:43 providers.x.auth.client_secret: kind "google" has no such key; known here: credentials, scope, endpoint
    f:4:58 providers.x.auth.scop: unknown key; did you mean "scope"?
    "#);
    insta::assert_snapshot!(said("kind = \"aws\"").join("\n"), @r#"
    f:4:8 providers.x.auth.region: is missing; such as "us-east-1"
    f:4:8 providers.x.auth.service: is missing; the service's name in signatures
    "#);
    insta::assert_snapshot!(said(&format!("{AWS}, role_arn = \"r\"")).join("\n"), @r#"f:4:8 providers.x.auth.token_file: is missing; it is needed with the other one"#);
    insta::assert_snapshot!(said(&format!("{AWS}, source = \"instance\", role_arn = \"r\"")).join("\n"), @r#"f:4:8 providers.x.auth: names several sources: keep source, or access_key_id and secret_access_key, or role_arn and token_file"#);
    insta::assert_snapshot!(said("kind = \"entra\", tenant_id = \"t\"").join("\n"), @r#"f:4:8 providers.x.auth: names neither client_secret nor token_file; leave out tenant_id for a managed identity"#);
    insta::assert_snapshot!(said("kind = \"google\", endpoint = \"https://u:p@h\"").join("\n"), @r#"f:4:38 providers.x.auth.endpoint: must not hold credentials: keys belong in api_key"#);
    insta::assert_snapshot!(problems("kind = \"groq\"\nauth = { kind = \"aws\", region = \"r\", service = \"s\" }").join("\n"), @r#"f:3:17 providers.x.auth.kind: kind "groq" takes no credentials of this cloud"#);
    for (half, lacks) in [
        ("access_key_id = { env = \"I\" }", "secret_access_key"),
        ("session_token = { env = \"T\" }", "access_key_id"),
        ("session_name = \"s\"", "role_arn"),
        ("token_file = \"f\"", "role_arn"),
    ] {
        let expected = format!("f:4:8 providers.x.auth.{lacks}: is missing; it is needed with the other one");
        assert_eq!(said(&format!("{AWS}, {half}")), [expected]);
    }
    let signed =
        "kind = \"bedrock\"\nbase_url = \"https://x.test\"\nauth = { kind = \"aws\", region = \"r\" }";
    assert!(problems(signed).is_empty());
    let both = format!("{custom}api_key = {{ env = \"K\" }}\nauth = {{ kind = \"google\" }}");
    insta::assert_snapshot!(problems(&both).join("\n"), @r#"f:5:8 providers.x.auth: there is a key too: keep one of them"#);
    insta::assert_snapshot!(problems("kind = \"vertex\"\nbase_url = \"https://x.test\"").join("\n"), @r#"f:1:12 providers.x.auth: is missing; write auth = { kind = "google" }"#);
}
