//! Sets of every form and with every fault.

use std::fs;
use std::path::Path;

use super::*;
use crate::context::RunContext;
use crate::corpus::Split;
use crate::images::Picture;

/// Writes a picture of one grey.
fn grey(path: &Path, value: u8) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let picture = Picture::new(4, 3, vec![value; 36]).unwrap();
    fs::write(path, picture.to_png().unwrap()).unwrap();
}

fn open(path: &Path) -> Result<ImageSet, ImageError> {
    ImageSet::open_in(Path::new("/nowhere"), &path.to_string_lossy())
}

fn ids(set: &ImageSet) -> Vec<&str> {
    set.entries().iter().map(|entry| entry.id.as_str()).collect()
}

#[test]
fn class_folders_become_classes_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    for (i, path) in ["10/a.png", "9/z.PNG", "9/deep/er/b.png", "loose.png", "cat/c.png"].iter().enumerate() {
        grey(&root.join(path), i as u8);
    }
    fs::write(root.join("notes.txt"), "no picture").unwrap();
    fs::write(root.join(".hidden.png"), "").unwrap();
    let set = open(root).unwrap();
    assert_eq!(ids(&set), ["10/a.png", "9/deep/er/b.png", "9/z.PNG", "cat/c.png", "loose.png"]);
    assert_eq!(set.classes(), ["9", "10", "cat"]);
    let labels: Vec<_> = set.entries().iter().map(|entry| entry.label).collect();
    assert_eq!(labels, [Some(1), Some(0), Some(0), Some(2), None]);
    assert_eq!(set.notes(), [SetNote::OtherFiles(1), SetNote::Unlabelled(1)]);
    assert!(set.labels().unwrap_err().to_string().contains("one folder per class"));
}

#[test]
fn one_class_is_allowed_and_said() {
    let folder = tempfile::tempdir().unwrap();
    grey(&folder.path().join("only/a.png"), 1);
    let set = open(folder.path()).unwrap();
    assert_eq!(set.labels().unwrap(), [0]);
    assert!(set.notes()[0].to_string().contains("one class, `only`"));
}

#[test]
fn a_single_file_is_a_set() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("alone.png");
    grey(&path, 9);
    let set = open(&path).unwrap();
    assert_eq!((ids(&set), set.classes().len(), set.notes().len()), (vec!["alone.png"], 0, 0));
}

#[test]
fn tables_name_pictures_labels_and_masks() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    grey(&root.join("p/a.png"), 1);
    grey(&root.join("p/b.png"), 2);
    let table = "\u{feff}Path, label ,mask,more\np/b.png,dog,m/b.png,1\np/a.png,cat,,\np\\gone.png,,,\n";
    fs::write(root.join(TABLE), table).unwrap();
    for set in [open(root).unwrap(), open(&root.join(TABLE)).unwrap()] {
        assert_eq!(ids(&set), ["p/b.png", "p/a.png", "p/gone.png"]);
        assert_eq!(set.classes(), ["cat", "dog"]);
        assert_eq!(set.entries()[0].mask, Some(root.join("m/b.png")));
        assert_eq!((set.entries()[0].label, set.entries()[2].label), (Some(1), None));
        assert_eq!(set.notes(), [SetNote::Unlabelled(1)]);
    }
}

#[test]
fn tables_with_faults_say_where() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.csv");
    let message = |text: &[u8]| {
        fs::write(&path, text).unwrap();
        open(&path).unwrap_err().to_string()
    };
    assert!(message(b"file,label\na.png,x\n").contains("no column `path` (it has file, label)"));
    assert!(message(b"path\na.png\nb.png\na.png\n").contains("line 4: `a.png` is listed twice"));
    assert!(message(b"path,label\n,x\n").contains("line 2: the path is empty"));
    assert!(message(b"path,label\n").contains("holds no pictures"));
    assert!(message(b"path\n\xff.png\n").contains("line 2"));
    assert!(message(b"").contains("no column `path`"));
}

#[test]
fn nothing_is_told_apart_from_nothing_there() {
    let folder = tempfile::tempdir().unwrap();
    assert!(open(folder.path()).unwrap_err().to_string().contains("holds no pictures;"));
    fs::write(folder.path().join("a.txt"), "a").unwrap();
    assert!(open(folder.path()).unwrap_err().to_string().contains("(1 files of it are none by their names)"));
    assert!(matches!(open(&folder.path().join("none")), Err(ImageError::NotFound { .. })));
    assert!(matches!(ImageSet::open_in(folder.path(), "starter"), Err(ImageError::NoStarter { .. })));
}

#[cfg(unix)]
#[test]
fn links_in_circles_do_no_harm() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    grey(&root.join("a/one.png"), 1);
    symlink(root, root.join("a/up")).unwrap();
    symlink(root.join("a"), root.join("b")).unwrap();
    symlink(root.join("nowhere"), root.join("c.png")).unwrap();
    let set = open(root).unwrap();
    assert_eq!(ids(&set), ["a/one.png"]);
    assert!(set.notes().contains(&SetNote::Loops(2)));
}

#[test]
fn contents_give_splits_and_a_digest() {
    let ctx = RunContext::new(0);
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    (0..40).for_each(|i| grey(&root.join(format!("x/{i:02}.png")), i));
    let set = open(root).unwrap();
    let contents = set.contents(&ctx).unwrap();
    let shares = Split::ALL.map(|split| contents.of_split(split).len());
    assert_eq!(shares.iter().sum::<usize>(), 40);
    assert!(shares[0] > 15 && shares[1] > 2 && shares[2] > 2, "{shares:?}");
    let again = open(root).unwrap();
    assert_eq!(again.contents(&ctx).unwrap(), contents);
    assert_eq!(set.load(3).unwrap().split, contents.split(3).unwrap());
    assert_eq!(Some(set.load(3).unwrap().hash), contents.hash(3));
    // Another content, another class, a file that is gone.
    grey(&root.join("x/00.png"), 99);
    let changed = open(root).unwrap().contents(&ctx).unwrap().digest().to_owned();
    fs::rename(root.join("x"), root.join("y")).unwrap();
    let renamed = open(root).unwrap();
    fs::remove_file(root.join("y/01.png")).unwrap();
    let renamed = renamed.contents(&ctx).unwrap();
    assert_eq!((renamed.hash(1), renamed.split(1)), (None, None));
    assert!(changed != contents.digest() && renamed.digest() != changed);
    ctx.cancel();
    assert!(matches!(open(root).unwrap().contents(&ctx), Err(ImageError::Cancelled(_))));
}

#[test]
fn bad_pictures_are_named_and_left_out() {
    let ctx = RunContext::new(0);
    let folder = tempfile::tempdir().unwrap();
    for i in 0..20 {
        let path = folder.path().join(format!("{i:02}.png"));
        if i % 3 == 0 { fs::write(path, "no picture").unwrap() } else { grey(&path, i) }
    }
    let set = open(folder.path()).unwrap();
    let all: Vec<usize> = (0..set.len()).collect();
    let mut batches = set.read_batches(&all, 8, &ctx, |loaded| loaded.picture.rgb()[0]);
    let read: Vec<(usize, u8)> = batches.by_ref().flat_map(Result::unwrap).collect();
    let expected: Vec<(usize, u8)> = (0..20).filter(|i| i % 3 != 0).map(|i| (i, i as u8)).collect();
    assert_eq!(read, expected);
    let report = batches.report();
    assert_eq!((report.read, report.bad, report.first.len()), (13, 7, 5));
    let text = report.to_string();
    assert!(text.contains("7 of 20") && text.contains("`03.png`") && text.ends_with("and 2 more"), "{text}");

    let bad = [0, 3, 6];
    let mut none = set.read_batches(&bad, 2, &ctx, |_| ());
    assert!(matches!(none.next(), Some(Err(ImageError::NoneLeft { .. }))));
    assert!(none.next().is_none());
    ctx.cancel();
    let mut stopped = set.read_batches(&all, 2, &ctx, |_| ());
    assert!(matches!(stopped.next(), Some(Err(ImageError::Cancelled(_)))));
    assert!(stopped.next().is_none());
}
