"""Class names in any script, and those that are refused."""

import unicodedata

import pytest
from open_clip.tokenizer import SimpleTokenizer

from mmcoop.models.class_names import check_class_names, resolve_class_names

COMPOSED = unicodedata.normalize('NFC', 'crème brûlée')
DECOMPOSED = unicodedata.normalize('NFD', 'crème brûlée')
FAMILY = '\U0001f468\u200d\U0001f469\u200d\U0001f467'
ENGLAND = '\U0001f3f4' + ''.join(chr(0xE0000 + ord(c)) for c in 'gbeng\x7f')
TAKEN = {
    'composed accents': COMPOSED,
    'separate accents': DECOMPOSED,
    'from right to left': 'חתול ביתי',
    'with joiners': 'می\u200cخواهم',
    'Devanagari': 'हिन्दी',
    'without spaces': '全角文字の猫',
    'emoji': '\U0001f431',
    'emoji of several characters': FAMILY,
    'emoji of unseen characters': ENGLAND,
    'heart with a variant': '\u2764\ufe0f',
    'wide letters': 'ＣＡＴ',
    'quotation marks': '“cat’s” & <dog>',
}


@pytest.fixture(scope='module')
def tokenizer():
    return SimpleTokenizer()


@pytest.mark.parametrize('kind', TAKEN)
def test_names_in_any_script_are_taken_as_they_are(tmp_path, kind, tokenizer):
    name = TAKEN[kind]
    file = tmp_path / 'names.txt'
    file.write_text(f'{name}\nother\n', encoding='utf-8')
    assert resolve_class_names(str(file)) == (name, 'other')
    # The tokeniser gets all of it: what it gives back are the small letters
    # of its own clean form, which composes accents and straightens quotes.
    tokens = tokenizer.encode(name)
    clean = tokenizer.clean_fn(name)
    assert ''.join(tokenizer.decode(tokens).split()) == ''.join(clean.split())
    assert tokenizer.encode(name) != tokenizer.encode('other')


def test_both_forms_of_an_accent_are_one_name(tokenizer):
    assert COMPOSED != DECOMPOSED
    assert tokenizer.encode(COMPOSED) == tokenizer.encode(DECOMPOSED)
    with pytest.raises(ValueError, match=r'same name for several labels'):
        check_class_names(['cat', COMPOSED, DECOMPOSED])


@pytest.mark.parametrize('others', ['hot  dog', ' hot_dog', 'hot dog '])
def test_spaces_make_no_name(others):
    with pytest.raises(ValueError, match=r"'hot dog' for labels \[0, 1\]"):
        check_class_names(['hot dog', others])


def test_names_that_differ_in_case_are_warned_of(log, tokenizer):
    assert tokenizer.encode('A') == tokenizer.encode('a')
    assert check_class_names(['a', 'b', 'A']) == ('a', 'b', 'A')
    assert "'a' for labels [0, 2]" in log.text


@pytest.mark.parametrize(
    ('name', 'character'),
    [
        ('cat\n', '000A'),
        ('big\tcat', '0009'),
        ('cat\x00', '0000'),
        ('cat\x1b[2J', '001B'),
        ('cat\x85dog', '0085'),
        ('cat\u2028dog', '2028'),
        ('cat\u200b', '200B'),
        ('\ufeffcat', 'FEFF'),
        ('ca\u00adt', '00AD'),
        ('\u202etac', '202E'),
        ('\u2066cat', '2066'),
        ('cat\ud800', 'D800'),
    ],
)
def test_unseen_characters_are_refused(name, character):
    with pytest.raises(ValueError, match=rf'unseen character U\+{character}'):
        check_class_names(['dog', name])


@pytest.mark.parametrize('line_end', ['\n', '\r\n', '\r'])
def test_lines_end_as_in_any_system(tmp_path, line_end):
    file = tmp_path / 'names.txt'
    file.write_bytes(line_end.join(['cat', 'dog', '']).encode())
    assert resolve_class_names(str(file)) == ('cat', 'dog')


@pytest.mark.parametrize('character', ['\x0b', '\x1c', '\x85', '\u2028'])
def test_no_unseen_line_end_shifts_the_labels(tmp_path, character):
    file = tmp_path / 'names.txt'
    file.write_text(f'cat{character}house\ndog\n', encoding='utf-8')
    with pytest.raises(ValueError, match=r'label 0, with the unseen'):
        resolve_class_names(str(file))
