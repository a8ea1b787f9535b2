//! "Did you mean …?": the nearest of a few known words.

/// Words longer than this are not compared: the cost grows with the square.
const MAX_WORD: usize = 64;

/// What to say about an unknown word where these were allowed.
pub(super) fn help<'a>(word: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    match nearest(word, known.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => match known.into_iter().map(|one| format!("`{one}`")).reduce(|all, one| format!("{all}, {one}")) {
            Some(all) => format!("possible here: {all}"),
            None => "nothing is possible here".to_owned(),
        },
    }
}

/// The known word that a typing mistake would make of this one, if there is one.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let typed: Vec<char> = word.chars().take(MAX_WORD + 1).collect();
    if typed.len() > MAX_WORD {
        return None;
    }
    let most = (typed.len() / 3).max(1);
    known
        .into_iter()
        .filter(|one| one.chars().count().abs_diff(typed.len()) <= most)
        .map(|one| (distance(&typed, one), one))
        .filter(|(far, _)| *far <= most)
        .min()
        .map(|(_, one)| one)
}

/// How many characters must be put in, taken out, replaced or swapped with their neighbour.
fn distance(left: &[char], right: &str) -> usize {
    let mut previous: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=left.len()).collect();
    let mut earlier = None;
    for (index, there) in right.chars().enumerate() {
        let mut next = vec![index + 1];
        let mut diagonal = index;
        for (column, here) in left.iter().enumerate() {
            let above = row.get(column + 1).copied().unwrap_or(usize::MAX - 1);
            let beside = next.last().copied().unwrap_or(usize::MAX - 1);
            let mut best = (diagonal + usize::from(*here != there)).min(above + 1).min(beside + 1);
            let swapped = column > 0 && earlier == Some(*here) && left.get(column - 1) == Some(&there);
            if let Some(before) = previous.get(column.wrapping_sub(1)).filter(|_| swapped) {
                best = best.min(before + 1);
            }
            next.push(best);
            diagonal = above;
        }
        previous = std::mem::replace(&mut row, next);
        earlier = Some(there);
    }
    row.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::{help, nearest};

    #[test]
    fn finds_typing_mistakes_only() {
        let known = ["attributes", "actions", "parent", "root"];
        assert_eq!(nearest("atributes", known), Some("attributes"));
        assert_eq!(nearest("aprent", known), Some("parent"));
        assert_eq!(nearest("roots", known), Some("root"));
        assert_eq!(nearest("colour", known), None);
        assert_eq!(nearest(&"x".repeat(1000), known), None);
        assert_eq!(help("colour", ["on", "at"]), "possible here: `on`, `at`");
    }
}
