//! Histories as lines of JSON.

use super::{History, Wrong};
use serde_json::{Value, json};

pub(super) fn write(history: &History) -> String {
    let mut text = String::new();
    for (name, step, value) in history.iter() {
        let line = json!({ "series": name, "step": number(step), "value": number(value) });
        text.push_str(&format!("{line}\n"));
    }
    text
}

fn number(v: f64) -> Value {
    match v {
        v if v.is_nan() => "NaN".into(),
        f64::INFINITY => "Infinity".into(),
        f64::NEG_INFINITY => "-Infinity".into(),
        v => v.into(),
    }
}

pub(super) fn read(text: &str) -> Result<History, Wrong> {
    let mut history = History::new();
    for (i, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let wrong = |message: String| (i + 1, message);
        let value: Value = serde_json::from_str(line).map_err(|e| wrong(e.to_string()))?;
        let name = value["series"].as_str().ok_or_else(|| wrong("\"series\" should be a text".into()))?;
        let field = |key: &str| {
            let number = match &value[key] {
                Value::Number(n) => n.as_f64(),
                Value::String(s) if ["NaN", "Infinity", "-Infinity"].contains(&s.as_str()) => s.parse().ok(),
                _ => None,
            };
            number.ok_or_else(|| wrong(format!("{key:?} should be a number")))
        };
        history.log(name, field("step")?, field("value")?);
    }
    Ok(history)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_json() {
        let mut h = History::new();
        h.log("train/\"loss\"", 1.0, 0.1 + 0.2);
        h.log("lr", 2.0, f64::NAN);
        let expected = "{\"series\":\"train/\\\"loss\\\"\",\"step\":1.0,\"value\":0.30000000000000004}\n\
                        {\"series\":\"lr\",\"step\":2.0,\"value\":\"NaN\"}\n";
        assert_eq!(write(&h), expected);
    }

    #[test]
    fn damage_is_named_by_its_line() {
        let good = "{\"series\": \"a\", \"step\": 1, \"value\": 2}\n";
        assert_eq!(read(good).unwrap().get("a").next(), Some((1.0, 2.0)));
        for (bad, message) in [
            ("{\"series\": \"a\", \"st", "EOF while parsing a string"),
            ("{\"series\": 1, \"step\": 1, \"value\": 2}", "\"series\" should be a text"),
            ("{\"series\": \"a\", \"step\": 1}", "\"value\" should be a number"),
            ("{\"series\": \"a\", \"step\": \"1\", \"value\": 2}", "\"step\" should be a number"),
            ("[1]", "\"series\" should be a text"),
        ] {
            let (line, text) = read(&format!("{good}{bad}")).unwrap_err();
            assert!(line == 2 && text.starts_with(message), "{line}: {text}");
        }
    }
}
