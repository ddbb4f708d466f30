import pytest
from mmengine.registry import MODELS, DefaultScope

from xlearner_mm import setup_env
from xlearner_mm.setup_env import STACKS, Library, check_libraries, register_all_modules

pytestmark = pytest.mark.compat


def pretend(monkeypatch, installed):

    def version(name):
        if name not in installed:
            raise setup_env.PackageNotFoundError(name)
        return installed[name]

    monkeypatch.setattr(setup_env, 'version', version)


def low_versions(stack):
    return {library.distribution: library.low for library in STACKS[stack].values()}


@pytest.mark.parametrize('stack', STACKS)
def test_a_whole_stack_is_found(stack, monkeypatch):
    pretend(monkeypatch, {**low_versions(stack), 'torch': STACKS[stack]['torch'].low + '.1+cu130'})
    assert check_libraries() == stack


def test_the_installed_stack_is_supported():
    assert check_libraries() in STACKS


def test_a_missing_library_is_named_with_both_choices(monkeypatch):
    installed = low_versions('modern')
    del installed['onedl-mmcv']
    pretend(monkeypatch, installed)
    with pytest.raises(ImportError, match=r'modern stack: mmcv is missing, wanted onedl-mmcv>=2\.3\.6,<2\.4\. Supp'
                                          r'.*classic: torch>=2\.1,<2\.2.*mmcv>=2\.1\.0'):
        check_libraries()


@pytest.mark.parametrize('found', ['1.1.0', '1.3'])
def test_an_unsupported_version_is_named(found, monkeypatch):
    pretend(monkeypatch, {**low_versions('classic'), 'mmsegmentation': found})
    with pytest.raises(ImportError, match=f'mmseg is mmsegmentation {found}, wanted mmsegmentation>=1.2.2,<1.3'):
        register_all_modules()


@pytest.mark.parametrize('stack', STACKS)
def test_torch_and_torchvision_must_fit(stack, monkeypatch):
    pretend(monkeypatch, {**low_versions(stack), 'torchvision': '0.20.1'})
    low = STACKS[stack]['torchvision'].low
    with pytest.raises(ImportError, match=rf'torchvision is torchvision 0\.20\.1, wanted torchvision>={low},<'):
        check_libraries()


@pytest.mark.parametrize('stack, extra, message', [
    ('modern', 'mmsegmentation', 'mmseg is installed twice, by mmsegmentation and by onedl-mmsegmentation, one over'),
    ('classic', 'onedl-mmengine', 'mmengine is installed twice, by mmengine and by onedl-mmengine, one over'),
])
def test_a_library_that_is_installed_over_another_is_refused(stack, extra, message, monkeypatch):
    pretend(monkeypatch, {**low_versions(stack), extra: '1.2.2'})
    with pytest.raises(ImportError, match=f'{message}.*Uninstall both'):
        check_libraries()


def test_register_all_modules():
    register_all_modules()
    for name in ('xlearner_mm.XLearner', 'mmdet.FCOS', 'mmseg.EncoderDecoder', 'mmpretrain.ImageClassifier'):
        assert MODELS.get(name) is not None
    assert DefaultScope.get_current_instance() is None
    register_all_modules(init_scope=True)
    assert DefaultScope.get_current_instance().scope_name == 'xlearner_mm'


def test_a_library_reads_as_a_requirement():
    assert str(Library('a', '1', '2')) == 'a>=1,<2'
