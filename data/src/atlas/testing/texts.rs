//! The corpus of the fixture: sentences in five languages and code, drawn word by word.

use std::collections::HashMap;

use super::{Fixture, hash};

/// Text that tries to get out of every kind of quoting.
pub(super) const NASTY: &str = "</script><script>alert('x')</script>\"&`|_*\u{202e}\u{1b}[31m\u{0}\nשלום";

/// Languages with their genre and their words; a word begins with a space, as tokenizers write it.
const LANGUAGES: [(&str, &str, &str); 6] = [
    (
        "en",
        "prose",
        " the| river| was| quiet| and| the| old| house| stood| above| it|,| waiting|.| She| had| not| been| there| since| her| \
         mother|'s| death| in| winter|;| the| garden| smelled| of| rain| and| apples|.| Nobody| answered| when| she| knocked",
    ),
    (
        "de",
        "manual",
        " Der| Befehl| zeigt| alle| Dateien| im| Verzeichnis| an|,| sofern| keine| Option| angegeben| wird|.| Mit| dieser| \
         Einstellung| werden| auch| versteckte| Einträge| ausgegeben|;| die| Reihenfolge| hängt| vom| System| ab|.",
    ),
    (
        "fr",
        "dictionary",
        " maison|,| n|.| f|.| :| bâtiment| servant| de| logis|,| d|'|habitation|.| Rester| à| la| maison|,| ne| pas| sortir| de| chez| \
         soi|.| Être| de| la| famille| ;| faire| partie| d|'|une| société",
    ),
    (
        "ja",
        "manual",
        "この|コマンド|は|、|指定|された|ファイル|の|内容|を|表示|し|ます|。|オプション|を|省略|した|場合|は|標準|入力|から|読み込み|ます|。",
    ),
    (
        "he",
        "prose",
        " הבית| הישן| עמד| מעל| הנהר|,| שקט| וריק|.| איש| לא| ענה| כאשר| דפקה| על| הדלת|;| הגן| הריח| מגשם| ותפוחים",
    ),
    (
        "code",
        "code",
        "def| read|(|path|,| limit|=|None|):|\n|    |with| open|(|path|)| as| file|:|\n|        |return| file|.|read|(|limit|)|\n|\n|if| \
         __name__| ==| \"|__main__|\":|\n|    |print|(|read|(|\"|a|.|txt|\"|))|\n",
    ),
];

/// What a hostile corpus is made of.
const HOSTILE: [&str; 14] = [
    "<script>",
    "alert(1)",
    "</script>",
    "<!--",
    "<img src=x onerror=alert(1)>",
    "\u{202e}reversed\u{202c}",
    "\u{2066}isolated",
    "\u{200b}",
    "\u{0}\u{1b}[31m",
    "\n",
    "]]>",
    "javascript:alert(1)",
    "a-very-long-token-a-very-long-token-a-very-long-token-a-very-long-token-a-very-long-token-a-very-long-token-a-very-long-token-",
    " שלום\u{200f}",
];

/// A context.
pub(super) struct Context {
    pub language: usize,
    pub genre: usize,
    pub document: String,
    pub tokens: Vec<u32>,
}

/// All contexts and the vocabulary.
pub(super) struct Texts {
    pub contexts: Vec<Context>,
    pub vocabulary: Vec<String>,
    pub languages: Vec<String>,
    pub genres: Vec<String>,
}

impl Texts {
    pub(super) fn new(fixture: &Fixture) -> Texts {
        let hostile = HOSTILE.join("|");
        let mut sources: Vec<(&str, &str, &str)> = LANGUAGES.to_vec();
        if fixture.hostile {
            sources.push((NASTY, NASTY, &hostile));
        }
        let mut genres: Vec<String> = sources.iter().map(|source| source.1.to_owned()).collect();
        genres.sort();
        genres.dedup();
        let mut texts = Texts {
            contexts: Vec::new(),
            vocabulary: vec!["<|endoftext|>".to_owned()],
            languages: sources.iter().map(|source| source.0.to_owned()).collect(),
            genres,
        };
        let mut ids: HashMap<String, u32> = HashMap::new();
        let words: Vec<Vec<u32>> = sources
            .iter()
            .map(|source| {
                let id = |word: &str| {
                    *ids.entry(word.to_owned()).or_insert_with(|| {
                        texts.vocabulary.push(word.to_owned());
                        texts.vocabulary.len() as u32 - 1
                    })
                };
                source.2.split('|').map(id).collect()
            })
            .collect();
        for context in 0..fixture.contexts {
            let language = context % sources.len();
            let source = &sources[language];
            let mut tokens = vec![0];
            // Pieces of 3 to 9 words, each from a place of its own: neighbours recur, whole sentences do not.
            while tokens.len() < fixture.context_len {
                let draw = hash(&[1, context as u64, tokens.len() as u64]);
                let first = draw as usize % words[language].len();
                let piece = words[language].iter().cycle().skip(first).take(3 + (draw >> 32) as usize % 7);
                tokens.extend(piece);
            }
            tokens.truncate(fixture.context_len);
            let document = match fixture.hostile {
                true => format!("{NASTY}{context}"),
                false => format!("{}/{}.txt", source.0, context / sources.len()),
            };
            let genre = texts.genres.iter().position(|genre| genre == source.1).unwrap_or_default();
            texts.contexts.push(Context { language, genre, document, tokens });
        }
        texts
    }
}
